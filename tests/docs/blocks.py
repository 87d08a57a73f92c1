"""The commands in the documentation: blocks of code that open with ```bash, and why some are not run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SNIPPET = re.compile(r'^--8<-- "([^":]+)(?::(\w+))?"$', re.MULTILINE)
BLOCK = re.compile(r"(?:<!-- (not run|server): (.*?) -->\n)?```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """``commands`` as they stand on a page; ``not_run`` says why they are not tried, or ``server`` that they go on."""

    page: str
    commands: str
    mark: str
    reason: str

    def count(self) -> int:
        """Commands that are typed one after the other; a backslash at the end of a line goes on with it."""
        lines = self.commands.replace("\\\n", " ").splitlines()
        return sum(bool(line.strip()) and not line.lstrip().startswith(("#", "export ")) for line in lines)


def pages() -> list[Path]:
    return sorted((ROOT / "docs").glob("*.md"))


def text_of(page: Path) -> str:
    """The page with what it includes from elsewhere."""

    def included(found: re.Match[str]) -> str:
        text = (ROOT / found[1]).read_text(encoding="utf-8")
        if found[2]:
            text = text.partition(f"[start:{found[2]}] -->")[2].partition(f"<!-- --8<-- [end:{found[2]}]")[0]
            assert text, f"{page.name} includes {found[0]}, which is not there"
        return text

    return SNIPPET.sub(included, page.read_text(encoding="utf-8"))


def blocks(page: Path) -> list[Block]:
    return [Block(page.name, found[3], found[1] or "", found[2] or "") for found in BLOCK.finditer(text_of(page))]
