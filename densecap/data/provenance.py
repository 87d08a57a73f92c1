"""Where a prepared file comes from, and whether it is still what a fresh run would make."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from densecap.data.hdf5 import RegionFile
from densecap.data.splits import sha256_of_file
from densecap.errors import UserError

_PACKAGES = ("densecap", "torch", "torchvision", "pillow", "numpy", "h5py")


def describe_run(options: dict[str, Any], root: Path, sources: Sequence[Path], id_space: str = "") -> dict[str, Any]:
    """The provenance attribute: options, the root, whose ids, source files with checksums, versions, and the time."""
    return {
        "options": options,
        "root": str(root.resolve()),
        "id_space": id_space,
        "sources": [_fingerprint(path) for path in sources],
        "packages": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def reason_to_rebuild(file: Path, options: dict[str, Any], sources: Sequence[Path] | None) -> str | None:
    """Why ``file`` is not what ``options`` and ``sources`` would give; None when it is.

    Sources are compared by content, so moved ones are the same; None leaves them out.
    """
    try:
        region_file = RegionFile(file)
        provenance = region_file.attrs["provenance"]
        region_file.close()
    except UserError as error:
        return str(error)
    former = provenance.get("options", {})
    for name in sorted({*options, *former}):
        if options.get(name) != former.get(name):
            return f"{name} is now {options.get(name)}, it was {former.get(name)}"
    if sources is None:
        return None
    recorded = provenance.get("sources", [])
    if len(recorded) != len(sources):
        return "there are other annotation files"
    changed = [path.name for path, before in zip(sources, recorded) if not _is_same(path, before)]
    return f"{', '.join(changed)} changed" if changed else None


def recorded_root(file: Path) -> Path:
    """The root of the data set that a prepared file was made from."""
    return Path(RegionFile(file).attrs["provenance"].get("root", ""))


def _fingerprint(path: Path) -> dict[str, Any]:
    status = path.stat()
    checksum = sha256_of_file(path)
    return {"file": path.name, "bytes": status.st_size, "modified_ns": status.st_mtime_ns, "sha256": checksum}


def _is_same(path: Path, before: dict[str, Any]) -> bool:
    status = path.stat()
    if status.st_size != before.get("bytes"):
        return False
    return status.st_mtime_ns == before.get("modified_ns") or sha256_of_file(path) == before.get("sha256")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
