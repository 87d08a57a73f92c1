"""The look that the pages share: ``theme.css``, which the viewer and the live page serve beside their own files."""

from __future__ import annotations

from pathlib import Path

#: The style sheet of colours, type and controls; every page links it under the name ``theme.css``.
THEME = Path(__file__).with_name("theme.css")
