"""The arrays of a feature file from the parts of an extraction, read one part at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from densecap.errors import UserError
from densecap.features.parts import Arrays, Parts


def arrays_of(parts: Parts, count: int) -> dict[str, tuple[tuple[int, ...], Iterator[np.ndarray]]]:
    """The arrays of ``write_feature_file`` from the first ``count`` parts: shapes, and pieces as they are asked for.

    Errors: UserError when a part is gone.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    region_counts: list[int] = []
    for index in range(count):
        for name, array in _part(parts, index).items():
            before = shapes.get(name, (0,))[0]
            shapes[name] = (before + len(array), *array.shape[1:])
            region_counts += array.tolist() if name == "counts" else []
    if "counts" not in shapes:
        return {"images/features": (shapes["features"], _pieces(parts, count, "features"))}
    first = np.cumsum([0, *region_counts])
    names = ("codes", "boxes", "scores")
    rows = {f"regions/{name}": (shapes[name], _pieces(parts, count, name)) for name in names}
    return {"images/first_region": (first.shape, iter([first])), **rows}


def _pieces(parts: Parts, count: int, name: str) -> Iterator[np.ndarray]:
    for index in range(count):
        yield _part(parts, index)[name]


def _part(parts: Parts, index: int) -> Arrays:
    arrays = parts.get(index)
    if arrays is None:
        raise UserError(f"a part of {parts.folder} is gone or damaged: run the same command again")
    return arrays
