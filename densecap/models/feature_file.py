"""A file of features of all images of a prepared data set, and its schema, version 1.

N images in the order of the prepared file, F the width of a feature, M regions of all images in image order; text is
UTF-8.

======================  =======  ======  =============================================================================
data set                type     shape   content
======================  =======  ======  =============================================================================
/images/ids             str      (N)     image id, as in the prepared file
/images/features        float32  (N, F)  layers "backbone" and "refined": one vector an image
/images/first_region    int64    (N+1)   layer "regions": image i has rows first_region[i] up to first_region[i + 1]
/regions/codes          float32  (M, F)  layer "regions": what the decoder sees of a region, fc7 after its ReLU
/regions/boxes          float32  (M, 4)  layer "regions": x1, y1, x2, y2 in continuous pixels of the original image
/regions/scores         float32  (M)     layer "regions": probability that it is a region; best first in an image
======================  =======  ======  =============================================================================

Attributes of the root: ``schema_version`` (int), ``recipe`` (JSON, ``densecap.models.feature_recipe``) and ``run``
(JSON: package versions and time of creation).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor

from densecap.errors import UserError
from densecap.models.feature_recipe import FeatureRecipe

SCHEMA_VERSION = 1


def write_feature_file(
    path: Path,
    recipe: FeatureRecipe,
    ids: Sequence[str],
    arrays: Mapping[str, tuple[tuple[int, ...], Iterable[np.ndarray]]],
    run: Mapping[str, Any] | None = None,
) -> None:
    """Write ``path``, under a temporary name until it is complete.

    ``arrays`` maps the names of the schema (without the ids) to a shape and pieces that follow each other; numbers are
    stored as float32, those of first_region as int64.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with h5py.File(temporary, "w", libver=("v108", "latest")) as file:
            file.attrs["schema_version"] = SCHEMA_VERSION
            file.attrs["recipe"] = json.dumps(recipe.to_json(), ensure_ascii=False)
            file.attrs["run"] = json.dumps(dict(run or {}), ensure_ascii=False)
            file.create_dataset("images/ids", data=list(ids), dtype=h5py.string_dtype())
            for name, (shape, pieces) in arrays.items():
                _write(file, name, shape, pieces)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write(file: h5py.File, name: str, shape: tuple[int, ...], pieces: Iterable[np.ndarray]) -> None:
    data = file.create_dataset(name, shape=shape, dtype="i8" if name.endswith("first_region") else "f4")
    row = 0
    for piece in pieces:
        data[row : row + len(piece)] = piece
        row += len(piece)
    if row != shape[0]:
        raise ValueError(f"{name} expects {shape[0]} rows, got {row}")


class FeatureFile:
    """Reads a feature file; its vectors are mapped, not loaded, and may be asked for by several threads.

    Errors: UserError when the file is missing, is no feature file or has another schema version.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).expanduser()
        with _open(self.path) as file:
            self.recipe = FeatureRecipe.from_json(json.loads(file.attrs["recipe"]))
            self.ids = [text.decode("utf-8") for text in file["images/ids"][:]]
            self._name = "regions/codes" if self.recipe.layer == "regions" else "images/features"
            self.feature_dim = int(file[self._name].shape[1])
        self._rows = {image_id: row for row, image_id in enumerate(self.ids)}
        self._mapped: np.ndarray | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": None}

    def __len__(self) -> int:
        return len(self.ids)

    def features(self, ids: Sequence[str] | None = None) -> Tensor:
        """(B, F) float32, the vectors of the images of these ids, of all when None.

        Errors: UserError for an id that is not there, and for a file of regions.
        """
        if self.recipe.layer == "regions":
            raise UserError(f"{self.path} holds features of regions; make one of whole images with extract_features")
        if ids is None:
            return torch.from_numpy(np.array(self._map()))
        unknown = next((image_id for image_id in ids if image_id not in self._rows), None)
        if unknown is not None:
            raise UserError(f"{self.path} has no features of image {unknown}: it was made of {self.recipe.data_name}")
        return torch.from_numpy(self._map()[[self._rows[image_id] for image_id in ids]])

    def regions(self, image_id: str) -> tuple[Tensor, Tensor, Tensor]:
        """Codes (R, F), boxes (R, 4) in original pixels and scores (R,) of an image, of a file of regions."""
        row = self._rows[image_id]
        with _open(self.path) as file:
            first, last = (int(value) for value in file["images/first_region"][row : row + 2])
            names = ("codes", "boxes", "scores")
            codes, boxes, scores = (torch.from_numpy(file[f"regions/{name}"][first:last]) for name in names)
        return codes, boxes, scores

    def _map(self) -> np.ndarray:
        if self._mapped is None:
            with _open(self.path) as file:
                data = file[self._name]
                offset = data.id.get_offset()
                if offset is None:  # an empty one has no place in the file
                    self._mapped = data[:]
                else:
                    self._mapped = np.asarray(np.memmap(self.path, data.dtype, "r", offset, data.shape))
        return self._mapped


def _open(path: Path) -> h5py.File:
    how = "make it with `python -m densecap extract_features`"
    if not path.is_file():
        raise UserError(f"there is no feature file at {path}: {how}")
    try:
        file = h5py.File(path, "r", locking=False)
    except OSError:
        raise UserError(f"{path} is not an HDF5 file: delete it and {how}") from None
    if "recipe" not in file.attrs:
        file.close()
        raise UserError(f"{path} is not a feature file: {how}")
    if file.attrs["schema_version"] != SCHEMA_VERSION:
        version = file.attrs["schema_version"]
        file.close()
        raise UserError(f"{path} has schema version {version}, this program reads {SCHEMA_VERSION}: {how}")
    return file
