"""The precision of a model's arithmetic when it predicts."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from densecap.errors import UserError

#: Names of precisions and the type that matrix products are computed in; None leaves everything as the weights are.
PRECISIONS: dict[str, torch.dtype | None] = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def check_precision(name: str) -> str:
    """The name; errors: UserError when there is no such precision."""
    if name not in PRECISIONS:
        raise UserError(f"precision={name} is not known: choose among {', '.join(PRECISIONS)}")
    return name


def autocast(device: torch.device, name: str) -> AbstractContextManager:
    """Inside, matrix products and convolutions run in that precision; boxes, scores and sums stay in fp32."""
    dtype = PRECISIONS[check_precision(name)]
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype)
