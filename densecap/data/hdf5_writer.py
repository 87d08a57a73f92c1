"""Writing a region file, whose schema is that of ``densecap.data.hdf5``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from densecap.data.hdf5 import SCHEMA_VERSION


@dataclass
class RegionFileContents:
    """Everything in a region file but the JPEG bytes; the names are those of the schema."""

    name: str
    ids: Sequence[str]
    files: Sequence[str]
    splits: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    original_sizes: np.ndarray
    first_region: np.ndarray
    boxes: np.ndarray
    tokens: np.ndarray
    lengths: np.ndarray
    captions: Sequence[str]
    words: Sequence[str]
    counts: np.ndarray
    provenance: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)


def write_region_file(path: Path, contents: RegionFileContents, jpeg_chunks: Iterable[bytes | np.ndarray]) -> None:
    """Write ``path``, under a temporary name until it is complete.

    ``jpeg_chunks`` are pieces of /images/bytes in order, cut anywhere: a generator keeps the images out of memory.
    """
    _check_counts(contents)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with h5py.File(temporary, "w", libver=("v108", "latest")) as file:  # older formats limit attributes to 64 KB
            _write_metadata(file, contents)
            total = int(contents.offsets[-1])
            place = _reserve_bytes(file, total)
        _write_jpegs(temporary, place, total, jpeg_chunks)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _check_counts(contents: RegionFileContents) -> None:
    images, regions = len(contents.ids), len(contents.captions)
    rows = {"files": images, "splits": images, "sizes": images, "original_sizes": images}
    rows |= {"offsets": images + 1, "first_region": images + 1}
    rows |= {"boxes": regions, "tokens": regions, "lengths": regions, "counts": len(contents.words)}
    for name, wanted in rows.items():
        if len(getattr(contents, name)) != wanted:
            raise ValueError(f"{name} expects {wanted} rows, got {len(getattr(contents, name))}")
    if contents.first_region[-1] != regions:
        raise ValueError(f"first_region ends at {contents.first_region[-1]}, there are {regions} regions")


def _write_metadata(file: h5py.File, contents: RegionFileContents) -> None:
    file.attrs["schema_version"] = SCHEMA_VERSION
    file.attrs["name"] = contents.name
    file.attrs["provenance"] = json.dumps(contents.provenance, ensure_ascii=False)
    file.attrs["report"] = json.dumps(contents.report, ensure_ascii=False)
    for name, kind in (("offsets", "i8"), ("sizes", "i4"), ("original_sizes", "i4"), ("splits", "u1")):
        file.create_dataset(f"images/{name}", data=np.asarray(getattr(contents, name), dtype=kind))
    file.create_dataset("images/first_region", data=np.asarray(contents.first_region, dtype="i8"))
    for name, kind in (("boxes", "f4"), ("tokens", "i4"), ("lengths", "i4")):
        file.create_dataset(f"regions/{name}", data=np.asarray(getattr(contents, name), dtype=kind))
    file.create_dataset("vocabulary/counts", data=np.asarray(contents.counts, dtype="i8"))
    _write_strings(file, "images/ids", contents.ids)
    _write_strings(file, "images/files", contents.files)
    _write_strings(file, "regions/captions", contents.captions)
    _write_strings(file, "vocabulary/words", contents.words)


def _write_strings(file: h5py.File, name: str, values: Sequence[str], rows: int = 65536) -> None:
    data = file.create_dataset(name, shape=(len(values),), dtype=h5py.string_dtype())
    for start in range(0, len(values), rows):
        data[start : start + rows] = values[start : start + rows]


def _reserve_bytes(file: h5py.File, total: int) -> int:
    """Make /images/bytes with ``total`` bytes, all in one place; returns where in the file that is."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    space = h5py.h5s.create_simple((total,))
    data = h5py.h5d.create(file["images"].id, b"bytes", h5py.h5t.STD_U8LE, space, properties)
    return int(data.get_offset() or 0)


def _write_jpegs(path: Path, place: int, total: int, jpeg_chunks: Iterable[bytes | np.ndarray]) -> None:
    """Write the pieces at ``place`` of the closed file; HDF5 itself takes longer over small pieces than the disk."""
    written = 0
    with path.open("r+b") as file:
        file.seek(place)
        for chunk in jpeg_chunks:
            written += file.write(chunk if isinstance(chunk, bytes) else chunk.data)
            if written > total:
                break
    if written != total:
        raise ValueError(f"/images/bytes expects {total} bytes, got {written}")
