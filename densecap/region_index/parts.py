"""What an index knows about some photos, and its file.

======================  =======  ======  =============================================================================
data set                type     shape   content
======================  =======  ======  =============================================================================
/images/files           str      (B)     absolute path
/images/stamps          int64    (B, 2)  bytes and time of last change (ns) of the file, to see when it changes
/images/sizes           int32    (B, 2)  (height, width) as displayed
/images/counts          int64    (B)     regions of each image
/regions/boxes          float32  (M, 4)  x1, y1, x2, y2 in continuous pixels of the original image, best region first
/regions/scores         float32  (M)     probability that it is a region
/regions/captions       str      (M)     what the model said of it
/regions/log_probs      float32  (M)     log-probability of that caption
/regions/codes          float16  (M, F)  what the decoder sees of it (float32 where float16 does not reach)
======================  =======  ======  =============================================================================
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from densecap.errors import UserError

#: The numbers of the schema: name here, data set, type.
_ARRAYS = (
    ("stamps", "images/stamps", "i8"),
    ("sizes", "images/sizes", "i4"),
    ("counts", "images/counts", "i8"),
    ("boxes", "regions/boxes", "f4"),
    ("scores", "regions/scores", "f4"),
    ("log_probs", "regions/log_probs", "f4"),
)
_LARGEST_HALF = float(np.finfo(np.float16).max)


@dataclass
class IndexPart:
    """B photos and their M regions; the names are those of the schema above."""

    files: list[str]
    stamps: NDArray[np.int64]
    sizes: NDArray[np.int32]
    counts: NDArray[np.int64]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    captions: list[str]
    log_probs: NDArray[np.float32]
    codes: NDArray[np.floating]

    def __len__(self) -> int:
        return len(self.files)

    @property
    def starts(self) -> NDArray[np.int64]:
        """(B + 1,) image i has the regions from starts[i] up to starts[i + 1]."""
        return np.concatenate(([0], np.cumsum(self.counts)))


def write_part(path: Path, part: IndexPart) -> None:
    """Write ``path``, under a temporary name until it is complete."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    half = not len(part.codes) or float(np.abs(part.codes).max()) <= _LARGEST_HALF
    try:
        with h5py.File(temporary, "w", libver=("v108", "latest")) as file:
            for name, place, kind in _ARRAYS:
                file.create_dataset(place, data=np.asarray(getattr(part, name), kind))
            file.create_dataset("regions/codes", data=np.asarray(part.codes, "f2" if half else "f4"))
            for place, texts in (("images/files", part.files), ("regions/captions", part.captions)):
                file.create_dataset(place, (len(texts),), h5py.string_dtype())[:] = texts
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_part(path: Path, with_codes: bool = True) -> IndexPart:
    """Errors: UserError when the file is damaged. Without codes only what is said about the photos is read."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            arrays = {name: file[place][:] for name, place, _ in _ARRAYS}
            files, captions = (_texts(file[place][:]) for place in ("images/files", "regions/captions"))
            codes = file["regions/codes"]
            arrays["codes"] = codes[:] if with_codes else np.zeros((0, codes.shape[1]), np.float16)
    except (OSError, KeyError) as error:
        raise UserError(f"{path} is damaged: delete it and build the index again (the rest is kept)") from error
    return IndexPart(files=files, captions=captions, **arrays)


def _texts(values: Sequence[bytes]) -> list[str]:
    return [value.decode("utf-8") for value in values]
