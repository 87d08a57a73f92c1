"""Prediction and training in every precision, compiled and not: what each makes of the machine's best.

A row's share of the floor is the time that the arithmetic of its own run takes at the rate of the machine's large
product of matrices of the same precision, over the time that it took: a run that only multiplied would have all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from densecap.benchmark import floor
from densecap.benchmark.floor import Size
from densecap.benchmark.timing import Timing
from densecap.models.dense_captioner import DenseCaptioner

#: The arithmetic of VGG-16 at 720 x 540 pixels worked out by hand: a photo with 300 regions of 16 steps, and about a
#: training image with gradients above the frozen stem. What the counter finds is compared with it.
BY_HAND = {"predict": 388e9, "train": 1e12}

COLUMNS = (
    "part", "precision", "compile", "batch", "images/s", "TFLOP/s", "product TFLOP/s", "share of the floor", "memory",
    "GFLOP an image",
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """One row to measure."""

    part: str
    precision: str
    compiled: bool
    batch_size: int

    @property
    def words(self) -> str:
        compiled = "compiled" if self.compiled else "not compiled"
        return f"{self.part}, {self.precision}, {compiled}, batch {self.batch_size}"


@dataclass(frozen=True)
class Row:
    """What came of a setting: ``operations`` of one run, ``rate`` of the matrix product (operations a second), and the
    ``note`` about what was worked on; or the ``problem`` that kept it from being measured."""

    setting: Setting
    rate: float
    operations: float = 0.0
    timing: Timing | None = None
    note: str = ""
    problem: str = ""

    @property
    def achieved(self) -> float:
        """Operations a second."""
        assert self.timing is not None
        return self.operations / self.timing.median

    def cells(self) -> list[str]:
        setting = self.setting
        begin = [setting.part, setting.precision, "yes" if setting.compiled else "no", str(setting.batch_size)]
        product = f"{self.rate / 1e12:,.3g}"
        if self.timing is None:
            return [*begin, self.problem, "", product, "", "", ""]
        return [
            *begin,
            f"{setting.batch_size / self.timing.median:,.3g}",
            f"{self.achieved / 1e12:,.3g}",
            product,
            f"{self.achieved / self.rate:.1%}",
            f"{self.timing.peak_memory / 1e9:.2f} GB",
            f"{self.operations / setting.batch_size / 1e9:,.0f}",
        ]

    def to_json(self) -> dict[str, Any]:
        found = {**vars(self.setting), "product_rate": self.rate, "problem": self.problem or None}
        if self.timing is None:
            return found
        seconds = {"median": self.timing.median, "best": self.timing.best, "all": list(self.timing.seconds)}
        figures = {"operations": self.operations, "operations_per_second": self.achieved, "note": self.note}
        return {**found, **figures, "seconds": seconds, "peak_memory_bytes": self.timing.peak_memory}


def settings_of(options: Mapping[str, Any], on_gpu: bool) -> list[Setting]:
    """All combinations, in the order of the table; without tf32 where there is no GPU."""
    precisions = [name for name in options["precision"] if name != "tf32" or on_gpu]
    return [
        Setting(part, precision, compiled, size)
        for part in options["parts"]
        for precision in precisions
        for compiled in options["compile"]
        for size in options["batch_sizes"]
    ]


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a table to be pasted."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(row.cells() for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def counted_operations(model: DenseCaptioner, size: Size, regions: int, steps: int) -> dict[str, float]:
    """Operations of an image: a photo with so many regions, each described by so many steps, and a training image
    whose regions are half described."""
    sampled = model.localization.region_batch_size
    predict = (
        floor.backbone_operations(model, [size])
        + floor.proposal_operations(model, [size])
        + floor.recognition_operations(model, regions)
        + floor.decoding_operations(model.decoder, regions, regions * steps, steps)
    )
    described = sampled // 2
    train = floor.training_operations(model, [size], sampled, described, steps - 1, described * steps)
    return {"predict": predict, "train": train}
