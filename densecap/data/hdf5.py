"""The one file that training reads, and its schema, version 1.

N images, M regions of all images in image order, T the token width, V words; text is UTF-8.

========================  ========  ======  ===========================================================================
data set                  type      shape   content
========================  ========  ======  ===========================================================================
/images/bytes             uint8     (total) the JPEG files of all images, one after the other
/images/offsets           int64     (N+1)   image i is bytes[offsets[i] : offsets[i + 1]]
/images/ids               str       (N)     image id, as in the annotations
/images/files             str       (N)     file it was read from, relative to the data set's root where it lies in it
/images/sizes             int32     (N, 2)  (height, width) of the stored JPEG
/images/original_sizes    int32     (N, 2)  (height, width) of the file it was made from, after EXIF rotation
/images/splits            uint8     (N)     0 train, 1 val, 2 test
/images/first_region      int64     (N+1)   the regions of image i are rows first_region[i] up to first_region[i + 1]
/regions/boxes            float32   (M, 4)  x1, y1, x2, y2 in continuous pixels of the ORIGINAL image, clipped to it
/regions/tokens           int32     (M, T)  word ids 1..V, padded with 0
/regions/lengths          int32     (M)     number of words, 1..T
/regions/captions         str       (M)     the phrase as it was annotated
/vocabulary/words         str       (V)     the word with id k + 1 is words[k]; ``<UNK>``, if any, comes last
/vocabulary/counts        int64     (V)     occurrences in the splits that the vocabulary was counted on
========================  ========  ======  ===========================================================================

Attributes of the root: ``schema_version`` (int), ``name`` (str, of the data set), ``provenance`` (JSON: options,
id_space of the reader, source files with their checksums, package versions, time of creation) and ``report`` (JSON:
what was kept and dropped, see ``densecap.data.report``).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from densecap.errors import UserError
from densecap.text.vocabulary import Vocabulary

SCHEMA_VERSION = 1

#: The number of a split in /images/splits is its place here.
SPLITS = ("train", "val", "test")


class RegionFile:
    """Reads a region file; images by their index 0..N-1.

    The file is opened at the first access in each process, so an instance can be handed to loader workers under any
    start method. Raises ``UserError`` when the file is missing, is not a region file or has another schema version.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._handle: h5py.File | None = None
        self._process = 0
        self._loaded: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_handle": None, "_process": 0, "_loaded": {}}

    def __len__(self) -> int:
        return len(self.splits)

    def image_bytes(self, index: int) -> bytes:
        """The JPEG file of an image."""
        offsets = self._array("images/offsets")
        return self._file["images/bytes"][offsets[index] : offsets[index + 1]].tobytes()

    def regions(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes (R, 4) float32 in original pixels, tokens (R, T) int32 and lengths (R,) int32 of an image."""
        rows, group = self._rows(index), self._file["regions"]
        return group["boxes"][rows], group["tokens"][rows], group["lengths"][rows]

    def captions(self, index: int) -> list[str]:
        """The R phrases of an image as they were annotated."""
        return [text.decode("utf-8") for text in self._file["regions/captions"][self._rows(index)]]

    def indices(self, split: str) -> np.ndarray:
        """The indices of the images of "train", "val" or "test", ascending."""
        return np.flatnonzero(self.splits == SPLITS.index(split))

    @property
    def splits(self) -> np.ndarray:
        """(N,) uint8, places in ``SPLITS``."""
        return self._array("images/splits")

    @property
    def sizes(self) -> np.ndarray:
        """(N, 2) int32 (height, width) of the stored JPEGs."""
        return self._array("images/sizes")

    @property
    def original_sizes(self) -> np.ndarray:
        """(N, 2) int32 (height, width) of the original images, the frame of the boxes."""
        return self._array("images/original_sizes")

    @property
    def region_counts(self) -> np.ndarray:
        """(N,) int64, how many regions each image has."""
        return np.diff(self._array("images/first_region"))

    @property
    def ids(self) -> list[str]:
        return self._strings("images/ids")

    @property
    def files(self) -> list[str]:
        return self._strings("images/files")

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self._strings("vocabulary/words"))

    @property
    def word_counts(self) -> np.ndarray:
        """(V,) int64, occurrences of each word of the vocabulary."""
        return self._array("vocabulary/counts")

    @property
    def max_tokens(self) -> int:
        """T, the width of the token matrix."""
        return self._file["regions/tokens"].shape[1]

    @property
    def attrs(self) -> dict[str, Any]:
        """``schema_version``, ``name``, and ``provenance`` and ``report`` as dictionaries."""
        attributes = self._file.attrs
        parsed = {key: json.loads(attributes[key]) for key in ("provenance", "report")}
        return {"schema_version": int(attributes["schema_version"]), "name": str(attributes["name"]), **parsed}

    def close(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    @property
    def _file(self) -> h5py.File:
        if self._handle is None or self._process != os.getpid():
            self.close()  # a handle that came through fork shares its file position with the parent
            self._handle, self._process = _open_region_file(self.path), os.getpid()
        return self._handle

    def _rows(self, index: int) -> slice:
        first = self._array("images/first_region")
        return slice(int(first[index]), int(first[index + 1]))

    def _array(self, name: str) -> np.ndarray:
        if name not in self._loaded:
            self._loaded[name] = self._file[name][:]
        return self._loaded[name]

    def _strings(self, name: str) -> list[str]:
        if name not in self._loaded:
            self._loaded[name] = [text.decode("utf-8") for text in self._file[name][:]]
        return self._loaded[name]


def _open_region_file(path: Path) -> h5py.File:
    if not path.is_file():
        raise UserError(f"{path} does not exist: make it with `python -m densecap preprocess`")
    try:
        file = h5py.File(path, "r", locking=False, rdcc_nbytes=0)
    except OSError:
        raise UserError(f"{path} is not an HDF5 file: delete it and run `python -m densecap preprocess`") from None
    version = file.attrs.get("schema_version")
    if version != SCHEMA_VERSION:
        file.close()
        wanted = f"schema version {SCHEMA_VERSION}, this one has {version}"
        raise UserError(f"{path} is not a region file of {wanted}: make it anew with `python -m densecap preprocess`")
    return file
