"""Learning-rate factors against hand-computed values."""

import pytest
import torch

from densecap.errors import UserError
from densecap.tasks.schedules import constant, warmup_cosine


def rates(make, steps, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule, seen = make(optimizer, total_steps=steps, **options), []
    for _ in range(steps + 1):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


def test_warmup_then_half_a_cosine():
    seen = rates(warmup_cosine, 14, warmup_steps=4, min_ratio=0.1)
    assert seen[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert seen[4] == pytest.approx(1.0)
    assert seen[9] == pytest.approx(0.55)  # half way down: 0.1 + 0.9 / 2
    assert seen[14] == pytest.approx(0.1)


def test_constant():
    assert rates(constant, 5) == [1.0] * 6
    assert rates(constant, 5, warmup_steps=2)[:3] == [0.5, 1.0, 1.0]


def test_training_without_an_end():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    assert constant(optimizer, total_steps=float("inf")).get_last_lr() == [1.0]
    with pytest.raises(UserError, match="when training ends: give trainer.max_epochs"):
        warmup_cosine(optimizer, total_steps=float("inf"))
