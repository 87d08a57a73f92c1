"""How fast the machine multiplies, from times that are made up."""

from __future__ import annotations

import pytest
import torch

from densecap.benchmark import machine
from densecap.benchmark.timing import Timing

CPU = torch.device("cpu")


def test_operations_of_a_product_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 512 * 512 numbers takes 512 products and as many sums; the best time counts. Half a second for so few
    tells that larger matrices would take too long."""
    measured = []

    def measure(product: object, repeats: int, device: torch.device) -> Timing:
        measured.append(repeats)
        return Timing((0.75, 0.5, 1.0))

    monkeypatch.setattr(machine, "measure", measure)
    assert machine.product_rate("bf16", CPU) == 2 * 512 * 512 * 512 / 0.5
    assert measured == [1]


@pytest.mark.parametrize(
    ("rate", "sizes"),
    [
        (1e12, [(512, 1), (1024, 1), (2048, 1), (4096, 5)]),
        (2e10, [(512, 1), (1024, 1), (2048, 1)]),  # 4096: 2 * 4096 ** 3 / 2e10 = 6.9 s
        (1e9, [(512, 1), (1024, 1)]),
    ],
)
def test_no_product_that_would_take_long(
    rate: float, sizes: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def rate_of(size: int, dtype: torch.dtype, device: torch.device, repeats: int) -> float:
        tried.append((size, repeats))
        return rate

    monkeypatch.setattr(machine, "_rate_of", rate_of)
    assert machine.product_rate("fp32", CPU) == rate
    assert tried == sizes
