"""Tensors by name in a file of PyTorch's, with errors that name what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from densecap.errors import UserError


class StateDict:
    """The tensors of ``path`` by their names; a leading "module." is left out."""

    def __init__(self, tensors: Mapping[Any, Any], path: Path) -> None:
        self.path = path
        self.tensors = {str(name).removeprefix("module."): value for name, value in tensors.items()}

    @property
    def names(self) -> list[str]:
        return list(self.tensors)

    def tensor(self, name: str, *shape: int | None) -> np.ndarray:
        """The tensor as float32; None is any size. Errors: UserError for what is missing or of another size.

        A tensor may show the same numbers many times, which would make a small file a large model: that is refused too.
        """
        value = self.tensors.get(name)
        if not isinstance(value, Tensor) or value.is_sparse or value.is_quantized:
            raise self.error(f"there should be a tensor {name}")
        found = tuple(value.shape)
        if len(found) != len(shape) or any(want not in (None, size) for want, size in zip(shape, found)):
            sizes = " x ".join("any" if size is None else str(size) for size in shape)
            raise self.error(f"{name} should be {sizes or 'a number'}, but it is {' x '.join(map(str, found))}")
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise self.error(f"{name} shows {value.numel():,} numbers of fewer that there are")
        return value.to(torch.float32).numpy()

    def first(self, names: Sequence[str], *shape: int | None) -> np.ndarray:
        """The tensor under the first of the names that there is."""
        return self.tensor(next((name for name in names if name in self.tensors), names[0]), *shape)

    def error(self, what: str) -> UserError:
        return UserError(f"{self.path} is not as expected: {what}; it holds {', '.join(self.names[:6])} ...")
