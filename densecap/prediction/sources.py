"""What a person typed as ``source``, as a list of picture files."""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from densecap.data.images import IMAGE_SUFFIXES
from densecap.errors import UserError

#: Schemes of addresses, which are not fetched.
_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def resolve_sources(source: str | Path | Iterable[str | Path]) -> list[Path]:
    """The files meant by a name, a folder, a glob, or several of them; each file once.

    A name that exists is that file or folder, whatever characters it holds; only then is it a glob, then a bracketed
    or comma-separated list. Folders (not their subfolders) and globs give the files with a picture's suffix in natural
    order (img2 before img10) without dotfiles; a file that is named by itself is always taken. Errors: UserError when
    a name means nothing or no picture is left.
    """
    names = [source] if isinstance(source, str | Path) else list(source)
    if not names:
        raise UserError("source is empty: give a picture, a folder or a glob, as in source=photos/*.jpg")
    found = [path for name in names for path in _resolve_one(str(name))]
    return list(dict.fromkeys(found))


def _resolve_one(name: str) -> list[Path]:
    for candidate in (Path(name), _expand_user(name)):
        if candidate.is_dir():
            return _pictures_in_folder(candidate, name)
        if candidate.exists():
            return [candidate]
    if _ADDRESS.match(name):
        raise UserError(f"source={name} is an address: download the picture first, then give the file's name")
    if glob.has_magic(name) and not (name.startswith("[") and name.endswith("]")):
        matches = [Path(match) for match in glob.glob(_escape_existing(_expand_user(name)), recursive=True)]  # noqa: PTH207
        if matches:
            return _pictures_only([path for path in matches if path.is_file()], f"the pattern {name}")
    return [path for piece in _split_list(name) for path in _resolve_one(piece)]


def _expand_user(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:  # ~nobody
        return Path(name)


def _pictures_in_folder(folder: Path, name: str) -> list[Path]:
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    return _pictures_only(files, f"the folder {name}")


def _pictures_only(files: Sequence[Path], where: str) -> list[Path]:
    """Files with a picture's suffix in natural order."""
    pictures = sorted((path for path in files if path.suffix.lower() in IMAGE_SUFFIXES), key=natural_key)
    if pictures:
        return pictures
    others = f"; it holds {len(files)} other files, such as {files[0].name}" if files else ""
    raise UserError(f"{where} holds no pictures{others}")


def _escape_existing(path: Path) -> str:
    """The pattern with its leading folders that exist taken literally, so that ``holiday [2024]/*.jpg`` works."""
    existing = next((parent for parent in path.parents if parent.exists()), Path())
    rest = path.relative_to(existing)
    return str(Path(glob.escape(str(existing))) / rest)


def _split_list(name: str) -> list[str]:
    """Pieces of ``[a, b]`` or ``a,b``, unquoted. Errors: UserError when there is nothing to split."""
    inner = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    pieces = [piece.strip().strip("'\"") for piece in inner.split(",")]
    pieces = [piece for piece in pieces if piece]
    if pieces in ([], [name]):
        raise UserError(f"source={name} names no file, no folder, and no pattern that matches one{_nearest(name)}")
    return pieces


def _nearest(name: str) -> str:
    """Files beside the missing one that look like it."""
    folder = _expand_user(name).parent
    if not folder.is_dir():
        return f"; the folder {folder} does not exist" if str(folder) not in ("", ".") else ""
    near = get_close_matches(Path(name).name, [path.name for path in folder.iterdir()], n=2)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """A sort key under which numbers inside names compare as numbers."""
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part.casefold()) for part in parts] + [
        (2, 0, str(path))
    ]


def image_ids(paths: Sequence[Path]) -> list[str]:
    """A distinct id for every file that is also safe as a file name.

    It is the name without its suffix; where two files share that (also when only capitals differ), the name with its
    suffix, then with more and more folders in front, and at last a number.
    """
    depth = max((len(path.parts) for path in paths), default=1)
    ids: list[str | None] = [None] * len(paths)
    taken: set[str] = set()
    for count in range(depth + 1):
        waiting = [index for index, value in enumerate(ids) if value is None]
        counts = Counter(_name(paths[index], count).casefold() for index in waiting)
        for index in waiting:
            name = _name(paths[index], count)
            if counts[name.casefold()] == 1 and name.casefold() not in taken:
                ids[index] = name
                taken.add(name.casefold())
    return [_numbered(paths[index].name, taken) if value is None else value for index, value in enumerate(ids)]


def _name(path: Path, count: int) -> str:
    """The stem of a file for ``count`` 0, else its last ``count`` parts as one name without leading dots."""
    if count == 0:
        return path.stem
    parts = [part for part in path.parts if part != path.anchor]
    return "_".join(parts[-count:]).lstrip("._") or path.name


def _numbered(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name}-{number}".casefold() in taken:
        number += 1
    taken.add(f"{name}-{number}".casefold())
    return f"{name}-{number}"
