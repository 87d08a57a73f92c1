"""What is meant by each of the names that a person typed."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from densecap.data.images import IMAGE_SUFFIXES
from densecap.data.splits import SPLIT_NAMES
from densecap.errors import UserError
from densecap.prediction.sources.addresses import VIDEO_SUFFIXES, is_address, name_address, suffix_of
from densecap.prediction.sources.name_lists import LIST_SUFFIX, read_name_list
from densecap.prediction.sources.named import Named
from densecap.prediction.sources.naming import natural_key
from densecap.prediction.sources.remote import TAR_SUFFIX, is_remote, remote_names
from densecap.prediction.sources.screen import SCREEN

#: ``NAME:SPLIT`` of a data set.
SPLIT = re.compile(rf"([A-Za-z]\w*):({'|'.join(SPLIT_NAMES)})")

WEBCAM = "webcam"


def find(source: str | Path | Iterable[str | Path]) -> list[Named]:
    """What is meant by a name or several, each thing once.

    A name that exists is that file or folder, whatever characters it holds; a ``.txt`` is a list of names. Then come
    the words: an address, ``screen``, ``-`` for standard input, ``NAME:SPLIT`` of a data set, ``webcam``. Only then is
    it a glob, then a bracketed or comma-separated list. Folders (not their subfolders, which ``folder/**`` has) and
    globs give the files with a picture's suffix, or where there are none those with a video's, in natural order (img2
    before img10) without dotfiles; a file that is named by itself is always taken. Errors: UserError when a name means
    nothing or nothing is left.
    """
    names = [source] if isinstance(source, str | Path) else list(source)
    if not names:
        raise UserError("source is empty: give a picture, a folder or a glob, as in source=photos/*.jpg")
    return each_once(named for name in names for named in _find_one(str(name)))


def each_once(found: Iterable[Named]) -> list[Named]:
    """Without what was there before; what was typed somewhere counts as typed."""
    first: dict[tuple[str, str], Named] = {}
    for named in found:
        if named.typed or (named.kind, named.name) not in first:
            first[named.kind, named.name] = named
    return list(first.values())


def resolve_sources(source: str | Path | Iterable[str | Path]) -> list[Path]:
    """The picture files that ``find`` gives; errors: UserError also for what is no picture file."""
    found = find(source)
    for named in found:
        if named.kind in ("web", "stream", "remote"):
            raise UserError(f"source={named.name} is an address: download the picture first, then give the file's name")
        if named.kind != "picture":
            raise UserError(f"source={named.name} is no picture: this takes pictures, folders, globs and lists of them")
    return [Path(named.name) for named in found]


def is_webcam(source: str | Path | Iterable[str | Path] | None) -> bool:
    """Whether the browser's camera is meant, and nothing else."""
    names = [source] if isinstance(source, str | Path) else list(source or ())
    return [str(name) for name in names] in ([WEBCAM], [f"[{WEBCAM}]"]) and not Path(WEBCAM).exists()


def _find_one(name: str) -> list[Named]:
    for candidate in (Path(name), _expand_user(name)):
        if candidate.is_dir():
            return _in_folder(candidate, name)
        if candidate.exists():
            return _named_file(candidate)
    if is_remote(name):
        return remote_names(name)
    if (word := _word(name)) is not None:
        return [word]
    if glob.has_magic(name) and not (name.startswith("[") and name.endswith("]")):
        matches = [Path(match) for match in glob.glob(_escape_existing(_expand_user(name)), recursive=True)]  # noqa: PTH207
        if matches:
            return _pictures_only([path for path in matches if path.is_file()], f"the pattern {name}")
    return [named for piece in _split_list(name) for named in _find_one(piece)]


def _word(name: str) -> Named | None:
    """What a name means that is no file."""
    if is_address(name):
        return name_address(name)
    if name == "-":
        return Named("stdin", name)
    if name == WEBCAM:
        return Named("webcam", name)
    if SCREEN.fullmatch(name):
        return Named("screen", name)
    return Named("split", name) if SPLIT.fullmatch(name) else None


def _named_file(path: Path) -> list[Named]:
    suffix = suffix_of(str(path))
    if suffix == LIST_SUFFIX:
        return [named for name in read_name_list(path) for named in _listed(name, path.parent, path)]
    if path.is_char_device():
        return [Named("stream", str(path))]
    if suffix == TAR_SUFFIX:
        return [Named("tar", str(path))]
    return [Named("video" if suffix in VIDEO_SUFFIXES else "picture", str(path))]


def _listed(name: str, beside: Path, where: Path) -> list[Named]:
    """What a line of a list names: an address, a folder or a file, which need not be there."""
    if is_remote(name):
        return [Named(named.kind, named.name, typed=False) for named in remote_names(name)]
    if is_address(name):
        return [name_address(name, typed=False)]
    found = beside / name if (beside / name).exists() else _expand_user(name)
    if found.is_dir():
        return _in_folder(found, f"{name} in {where}")
    if suffix_of(name) == TAR_SUFFIX:
        return [Named("tar", str(found), typed=False)]
    return [Named("video" if suffix_of(name) in VIDEO_SUFFIXES else "picture", str(found), typed=False)]


def listed_on_stdin(names: Iterable[str]) -> list[Named]:
    """What the lines of standard input name."""
    return [named for name in names for named in _listed(name, Path(), Path("standard input"))]


def _expand_user(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:  # ~nobody
        return Path(name)


def _in_folder(folder: Path, name: str) -> list[Named]:
    entries = list(folder.iterdir())
    files = [path for path in entries if path.is_file() and not path.name.startswith(".")]
    deeper = any(path.is_dir() for path in entries)
    hint = f" (what lies in its folders is taken by source={name}/**)" if deeper and not files else ""
    return _pictures_only(files, f"the folder {name}", hint)


def _pictures_only(files: Sequence[Path], where: str, hint: str = "") -> list[Named]:
    """Files with a picture's suffix, or else those with a video's or a tar file's, in natural order."""
    for kind, suffixes in (("picture", IMAGE_SUFFIXES), ("video", VIDEO_SUFFIXES), ("tar", frozenset({TAR_SUFFIX}))):
        found = sorted((path for path in files if path.suffix.lower() in suffixes), key=natural_key)
        if found:
            return [Named(kind, str(path), typed=False) for path in found]  # type: ignore[arg-type]
    others = f"; it holds {len(files)} other files, such as {files[0].name}" if files else hint
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
    """Files beside the missing one that look like it, or the splits of a data set."""
    data, colon, split = name.partition(":")
    if colon and data.isidentifier() and "/" not in split:
        return f"; of a data set there are {data}:train, {data}:val and {data}:test"
    folder = _expand_user(name).parent
    if not folder.is_dir():
        return f"; the folder {folder} does not exist" if str(folder) not in ("", ".") else ""
    near = get_close_matches(Path(name).name, [path.name for path in folder.iterdir()], n=2)
    return f"; did you mean {' or '.join(near)}?" if near else ""
