"""Learning-rate schedules, stepped once an optimiser step."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from densecap.errors import UserError


def _warmup(step: int, warmup_steps: int) -> float:
    return min(1.0, (step + 1) / warmup_steps) if warmup_steps > 0 else 1.0


def constant(optimizer: Optimizer, total_steps: float, warmup_steps: int = 0) -> LambdaLR:
    """The given rate throughout, after a linear warm-up over ``warmup_steps``."""
    return LambdaLR(optimizer, lambda step: _warmup(step, warmup_steps))


def warmup_cosine(optimizer: Optimizer, total_steps: float, warmup_steps: int = 0, min_ratio: float = 0.0) -> LambdaLR:
    """Linear warm-up, then half a cosine from the given rate down to ``min_ratio`` of it at ``total_steps``.

    Errors: UserError for training without an end, which ``total_steps`` is infinite for.
    """
    if math.isinf(total_steps):
        raise UserError(
            "scheduler=warmup_cosine has to know when training ends: give trainer.max_epochs or trainer.max_steps, "
            "or take scheduler=constant"
        )

    def factor(step: int) -> float:
        if step < warmup_steps:
            return _warmup(step, warmup_steps)
        progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
        return min_ratio + (1 - min_ratio) * 0.5 * (1 + math.cos(math.pi * progress))

    return LambdaLR(optimizer, factor)
