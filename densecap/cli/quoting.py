"""What people type, quoted so that Hydra's grammar takes it for the text it is.

Hydra refuses ``ckpt=epoch=3-step=10.ckpt`` or ``source=photo (1).jpg`` and takes ``a,b.jpg`` for a sweep. The values of
keys that hold free text (paths, addresses, questions) are therefore put in Hydra's quotes, as is every other value
that Hydra cannot read. What is already in Hydra's quotes stays as it is, so quoting twice changes nothing: a process
that Lightning starts with the quoted arguments reads the same values.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

FREE_TEXT = frozenset(
    {
        "source",
        "ckpt",
        "init",
        "resume",
        "predictions",
        "path",
        "query",
        "boxes",
        "index",
        "output",
        "images",
        "truth",
        "data.splits",
        "token",
        "vocabulary",
        "weights",
        "report",
        "picture",
        "licence",
        "push_to",
    }
)
#: Endings of keys that hold a path wherever they are: ``output.dir``, ``model.backbone.weights``, ``save_dir``.
FREE_TEXT_PATTERNS = (
    "paths.*",
    "annotations.*",
    *(f"*[._]{name}" for name in ("path", "file", "dir", "folder")),
    *(f"*.{name}" for name in ("root", "table", "weights")),
)

#: Free text that is no path: a leading ``~`` stays.
NOT_PATHS = frozenset({"query", "token"})

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)


def is_free_text(key: str) -> bool:
    """Whether the key's value is text in no particular form."""
    return key in FREE_TEXT or any(fnmatchcase(key, pattern) for pattern in FREE_TEXT_PATTERNS)


def is_quoted(value: str) -> bool:
    """Whether the value stands in one pair of Hydra's quotes, and is not the name of a file with quotes in it."""
    return _QUOTED.fullmatch(value) is not None and not os.path.lexists(value)


def quote(text: str, interpolate: bool = False) -> str:
    """Any text as a value of Hydra's grammar; ``${`` is protected from OmegaConf unless ``interpolate``."""
    if not interpolate:
        text = re.sub(r"(\\*)\$\{", lambda match: 2 * match[1] + r"\${", text)
    return QuotedString(text, Quote.single).with_quotes()


def quote_text(key: str, text: str) -> str:
    """A free-text value as Hydra should see it; quoted values and ``null`` stay, a leading ``~`` is the home folder.

    Folders of Hydra's own (``hydra.run.dir``) may hold interpolations, as everywhere in Hydra.
    """
    if text == "null" or is_quoted(text):
        return text
    if key not in NOT_PATHS:
        text = os.path.expanduser(text)  # noqa: PTH111 (Path would also tidy up an address)
    return quote(text, interpolate=key.startswith("hydra."))


def quote_value(key: str, value: str, multirun: bool = False) -> str:
    """The value of any key as Hydra should see it; in a sweep ``choice('a','b')`` stays a choice."""
    if multirun and re.fullmatch(r"choice\(.*\)", value, re.DOTALL):
        return value
    if key == "boxes" and value.startswith("[["):  # numbers, not the name of a file
        return value
    if is_free_text(key):
        return quote_text(key, value)
    return value if _is_readable(value) else quote(value)


def _is_readable(value: str) -> bool:
    try:
        OverridesParser.create().parse_override(f"key={value}")
    except HydraException:
        return False
    return True
