"""What is timed: a function, what it works on, and the least it could cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn

from densecap.benchmark.timing import Timing

#: Parts of the data's way, of prediction in the order of an image's way through the model, and of a training step.
PREDICTION_PARTS = ("backbone", "proposals", "nms", "pooling", "recognition", "captions", "predict")
TRAINING_PARTS = ("gradients", "optimizer", "train")
DATA_PARTS = ("decode", "preprocess", "loader")

#: What each part is, for the table.
MEANINGS = {
    "decode": "JPEG files to pixels",
    "preprocess": "photos to the prepared file",
    "loader": "prepared file to batches",
    "backbone": "pixels to feature maps",
    "proposals": "maps to a box and a score for every anchor",
    "nms": "choosing proposals, and final boxes",
    "pooling": "maps to features of regions",
    "recognition": "fc6, fc7, scores and boxes",
    "captions": "words of the final boxes",
    "predict": "photo to described boxes",
    "gradients": "losses of a batch and their gradients",
    "optimizer": "update of the weights",
    "train": "a whole training step",
}


@dataclass(frozen=True)
class Part:
    """Something to time: ``run`` works on ``images`` images and takes ``operations`` (see ``floor``) at the least.

    Where there is no arithmetic to speak of, ``reference`` may be the plain loop that the part is compared with.
    """

    name: str
    run: Callable[[], object]
    images: int
    operations: float = 0.0
    reference: Callable[[], object] | None = None
    note: str = ""


@dataclass(frozen=True)
class Result:
    """A part's timing and its floor in seconds, from arithmetic or from the plain loop; None without either."""

    part: Part
    precision: str
    timing: Timing
    floor: float | None

    @property
    def images_per_second(self) -> float:
        return self.part.images / self.timing.median

    @property
    def ratio(self) -> float | None:
        """Median over floor."""
        return self.timing.median / self.floor if self.floor else None

    def to_json(self) -> dict[str, Any]:
        first, third = self.timing.quartiles
        return {
            "part": self.part.name,
            "precision": self.precision,
            "seconds": {"median": self.timing.median, "quartiles": [first, third], "best": self.timing.best},
            "repeats": len(self.timing.seconds),
            "images": self.part.images,
            "images_per_second": self.images_per_second,
            "operations": self.part.operations or None,
            "floor_seconds": self.floor,
            "floor": "plain loop" if self.part.reference else "arithmetic" if self.floor else None,
            "ratio": self.ratio,
            "peak_memory_bytes": self.timing.peak_memory,
            "note": self.part.note,
        }


@contextmanager
def rows_through(module: nn.Module) -> Iterator[list[int]]:
    """How many rows (vectors) come out of the module each time it is called inside the context."""
    rows: list[int] = []
    hook = module.register_forward_hook(lambda layer, inputs, output: rows.append(output.numel() // output.shape[-1]))
    try:
        yield rows
    finally:
        hook.remove()
