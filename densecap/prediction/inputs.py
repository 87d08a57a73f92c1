"""Pictures that Python code hands over: paths and whatever ``source`` takes, or pictures in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from densecap.data.images import image_from_pillow
from densecap.errors import UserError
from densecap.prediction.sources import Source, Unread, open_source


def open_inputs(given: Any) -> Source:
    """What was given as a source: names as ``open_source`` takes them, pictures, or several of both.

    Errors: UserError for something else.
    """
    if isinstance(given, str | Path):
        return open_source(given)
    if is_picture(given):
        return Pictures([given])
    if isinstance(given, np.ndarray | Tensor) and given.ndim == 4:
        return Pictures(list(given))
    if not isinstance(given, Iterable):
        raise UserError(f"a source is a path, a picture or a list of them, not {type(given).__name__}")
    return Pictures(list(given))


def is_picture(value: Any) -> bool:
    """Whether it is one picture in memory: a PIL image, an array or a tensor of three dimensions, or a grey array."""
    if isinstance(value, np.ndarray):
        return value.ndim in (2, 3)
    return isinstance(value, Image.Image) or (isinstance(value, Tensor) and value.ndim == 3)


def picture_of(value: Any) -> Tensor:
    """(3, H, W) uint8 RGB of a PIL image (turned as its EXIF says), an (H, W, 3) or grey (H, W) uint8 array or a
    (3, H, W) uint8 tensor. Errors: UserError for anything else."""
    if isinstance(value, Image.Image):
        try:
            return image_from_pillow(value)
        except ValueError as error:
            raise UserError(str(error)) from error
    if isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.size:
        if value.ndim == 2:
            return torch.from_numpy(np.ascontiguousarray(value)).expand(3, -1, -1).contiguous()
        if value.ndim == 3 and value.shape[2] == 3:
            return torch.from_numpy(np.ascontiguousarray(value)).permute(2, 0, 1).contiguous()
    if isinstance(value, Tensor) and value.dtype == torch.uint8 and value.ndim == 3 and value.shape[0] == 3:
        return value.cpu()
    kind = f"{getattr(value, 'dtype', '')} {tuple(getattr(value, 'shape', ()))}".strip()
    raise UserError(
        f"a picture is a path, a PIL image, an (H, W, 3) uint8 RGB array or a (3, H, W) uint8 tensor, "
        f"got {type(value).__name__} {kind if hasattr(value, 'shape') else ''}".rstrip()
    )


@dataclass(frozen=True)
class Pictures:
    """A source of pictures in memory, called "image 1", "image 2" ..., and of names, each as often as it is given."""

    items: list[Any]

    @property
    def total(self) -> int | None:
        return None if any(isinstance(item, str | Path) for item in self.items) else len(self.items)

    def __iter__(self) -> Iterator[Unread]:
        taken: set[str] = set()
        for number, item in enumerate(self.items, start=1):
            if isinstance(item, str | Path):
                opened: Iterable[Unread] = open_source(item)
            else:
                opened = [Unread(f"image-{number}", f"image {number}", partial(picture_of, item))]
            for unread in opened:
                own = (
                    unread if unread.image_id not in taken else replace(unread, image_id=f"{unread.image_id}-{number}")
                )
                taken.add(own.image_id)
                yield own
