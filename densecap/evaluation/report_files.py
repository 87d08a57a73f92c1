"""Reports of earlier evaluations: found by what was typed, read, and named shortly."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from densecap.errors import UserError
from densecap.evaluation.schema import REPORT_VERSION

REPORT = "report.json"
#: What every report says of its data, and as what.
DATA = {"name": str, "split": str, "images": int}


def find_reports(names: Sequence[str]) -> list[Path]:
    """The reports meant by files, folders and globs, in their order, each once.

    A folder means its report.json, or those of its subfolders in natural order (eval-2 before eval-10) when it has
    none. A name that exists is that file or folder, whatever characters it holds. Errors: UserError when a name means
    no report.
    """
    found: dict[Path, Path] = {}
    for name in names:
        try:
            for path in _find(name):
                found.setdefault(path.resolve(), path)
        except OSError as error:
            raise UserError(f"{name} cannot be read: {error.strerror or error}") from error
    return list(found.values())


def _find(name: str) -> list[Path]:
    path = Path(os.path.expanduser(name))  # noqa: PTH111 (Path's own fails for ~nobody)
    if path.is_file():
        return [path]
    if path.is_dir():
        if reports := _in_folder(path):
            return reports
        raise UserError(f"the folder {name} holds no {REPORT}, nor does a folder in it: eval writes them")
    if glob.has_magic(name):
        matches = sorted(map(Path, glob.glob(_escape_existing(path), recursive=True)), key=_natural)  # noqa: PTH207
        if reports := _among(matches):
            return reports
        raise UserError(f"the pattern {name} matches no {REPORT} and no folder that holds one")
    near = get_close_matches(path.name, [other.name for other in path.parent.glob("*")], n=2)
    raise UserError(f"there is no file or folder {name}" + (f"; did you mean {' or '.join(near)}?" if near else ""))


def _escape_existing(pattern: Path) -> str:
    """The pattern with its leading folders that exist taken literally, so that ``runs [old]/eval*`` works."""
    existing = next((parent for parent in pattern.parents if parent.exists()), Path())
    return str(Path(glob.escape(str(existing))) / pattern.relative_to(existing))


def _in_folder(folder: Path) -> list[Path]:
    own = folder / REPORT
    inner = (path for path in sorted(folder.glob(f"*/{REPORT}"), key=_natural) if path.is_file())
    return [own] if own.is_file() else [path for path in inner if not path.parent.name.startswith(".")]


def _among(matches: Sequence[Path]) -> list[Path]:
    """Of folders their reports; of files the reports, or where none is called so, all JSON files."""
    files = [path for path in matches if path.is_file() and path.suffix.lower() == ".json"]
    named = [path for path in files if path.name == REPORT]
    folders = [report for path in matches if path.is_dir() for report in _in_folder(path)]
    return [*folders, *(named or ([] if folders else files))]


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """A sort key under which numbers inside names compare as numbers, and ``eval`` comes before ``eval-2``."""
    pieces = [piece for part in path.parts for piece in (*re.split(r"(\d+)", part), "")]
    return [(1, int(piece), "") if piece.isdecimal() else (0, 0, piece) for piece in pieces]


def read_report(path: Path) -> dict[str, Any]:
    """The report in a file; errors: UserError for what is damaged, no report, or of a newer version."""
    text = ""
    try:
        text = path.read_text(encoding="utf-8-sig")
        report = json.loads(text)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except json.JSONDecodeError as error:
        if text.strip() and not text.lstrip().startswith("{"):
            raise UserError(f"{path} is not a report of eval, as {REPORT} is: it is no JSON") from None
        place = f"line {error.lineno}, column {error.colno}"
        raise UserError(f"{path} is cut off or damaged at {place}: copy it again, or repeat the evaluation") from None
    except (ValueError, RecursionError):  # bytes that are no text, endless numbers or lists
        raise UserError(f"{path} is not a report of eval: it is no JSON that can be read") from None
    version = report.get("version") if isinstance(report, dict) else None
    if isinstance(version, int) and version > REPORT_VERSION:
        newer = f"version {version} of the format, of which this one reads up to {REPORT_VERSION}"
        raise UserError(f"{path} is from a newer densecap ({newer}): update densecap")
    if problem := _problem(report):
        raise UserError(f"{path} is not a report of eval, as {REPORT} is: {problem}")
    return report


def _problem(report: Any) -> str:
    """What shows that a JSON value is no report, as a part of a sentence."""
    if not isinstance(report, dict):
        return "it is no JSON object"
    if not isinstance(report.get("version"), int):
        return "it has no version number"
    for key in ("data", "protocols"):
        if not isinstance(report.get(key), Mapping):
            return f"it has no section {key}"
    named = [isinstance(report["data"].get(key), kind) for key, kind in DATA.items()]
    if not all(named):
        return f"its section data does not give {', '.join(DATA)}"
    return ""


def short_names(reports: Sequence[Path]) -> list[str]:
    """A distinct name for every file: its folder, with folders in front as far as two would be called the same.

    A file that is not called report.json is named by itself, since several may share a folder.
    """
    labels = [Path(os.path.abspath(path)) for path in reports]  # noqa: PTH100 (links keep the name that was typed)
    parts = [(path.parent if path.name == REPORT else path).parts for path in labels]
    return [_readable("/".join(own[-_depth(own, parts) :])) for own in parts]


def _depth(own: tuple[str, ...], others: Sequence[tuple[str, ...]]) -> int:
    """How many last parts of a path no other path has."""
    depths = range(1, len(own) + 1)
    return next((depth for depth in depths if [other[-depth:] for other in others].count(own[-depth:]) == 1), len(own))


def _readable(name: str) -> str:
    """On one line and in characters that every file can hold."""
    return " ".join(name.split()).encode("utf-8", "backslashreplace").decode("utf-8")
