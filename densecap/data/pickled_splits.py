"""Lists of splits that people published as a pickled dictionary in NumPy's format: {image id: split name}.

A pickle can run anything, so this one may make an array that holds a dictionary of numbers and text, and nothing else.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from densecap.errors import UserError

_ALLOWED = {
    (module, name)
    for module, name in (
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
    )
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def read_pickled_splits(path: Path) -> dict[str, str]:
    """Image id -> split name as written; UserError when the file holds anything else, which is then not loaded."""
    try:
        with path.open("rb") as file:
            _skip_header(file)
            value = _ArrayUnpickler(file, encoding="latin1").load()
        value = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
        if not isinstance(value, dict):
            raise pickle.UnpicklingError("it holds no dictionary")
    except (ValueError, EOFError, AttributeError, TypeError, ImportError, IndexError, pickle.UnpicklingError) as error:
        raise UserError(f"{path} is no pickled dictionary of image ids and splits ({error})") from None
    return {str(image_id): str(split) for image_id, split in value.items()}


def _skip_header(file: BinaryIO) -> None:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    _, _, dtype = read(file)
    if not dtype.hasobject:
        raise ValueError(f"it holds an array of {dtype}")
