"""Renew the pinned versions: ``python tools/pin.py`` (needs uv; upgrades to the newest versions that fit together).

One resolution for all extras, groups, platforms and Python versions goes, without addresses and hashes, between two
markers of pyproject.toml, where uv reads it, and to constraints.txt for ``pip install -c constraints.txt -e .``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "# pinned versions: begin\n", "# pinned versions: end\n"

#: What builds this project and its one dependency without a wheel (antlr4-python3-runtime).
BUILD_PACKAGES = ("hatchling", "packaging", "pathspec", "pluggy", "setuptools", "trove-classifiers")


def uv(*arguments: str) -> str:
    """Standard output of a uv command in the project. Errors: CalledProcessError; uv says why on standard error."""
    command = os.environ.get("UV") or shutil.which("uv")
    start = [command] if command else [sys.executable, "-m", "uv"]
    return subprocess.run([*start, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def block(pins: list[str]) -> str:
    """The lines between the markers."""
    build = [pin for pin in pins if re.split("[=; ]", pin)[0] in BUILD_PACKAGES]
    return _array("constraint-dependencies", pins) + _array("build-constraint-dependencies", build)


def _array(key: str, pins: list[str]) -> str:
    return f"{key} = [\n" + "".join(f'    "{pin}",\n' for pin in pins) + "]\n"


def with_block(pyproject: str, text: str) -> str:
    """The text of pyproject.toml with other lines between the markers. Errors: ValueError without markers."""
    head, begin, rest = pyproject.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"pyproject.toml needs the lines {BEGIN.strip()!r} and {END.strip()!r}")
    return head + begin + text + end + tail


def main() -> None:
    """Resolve without the old pins, then write the new ones; pyproject.toml is left as it was when that fails."""
    path = ROOT / "pyproject.toml"
    before = path.read_text(encoding="utf-8")
    path.write_text(with_block(before, ""), encoding="utf-8")
    try:
        uv("lock", "--upgrade")
        bare = ("--no-hashes", "--no-emit-project", "--no-annotate", "--no-header")
        exported = uv("export", "--frozen", "--all-extras", "--all-groups", *bare)
    except BaseException:
        path.write_text(before, encoding="utf-8")
        raise
    pins = [line for line in exported.splitlines() if line]
    path.write_text(with_block(before, block(pins)), encoding="utf-8")
    (ROOT / "constraints.txt").write_text("\n".join(pins) + "\n", encoding="utf-8")
    uv("lock")
    print(f"pinned {len(pins)} versions")


if __name__ == "__main__":
    main()
