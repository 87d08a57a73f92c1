"""What the machine can do at best: its name, its threads, and how fast it multiplies matrices."""

from __future__ import annotations

import platform
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from densecap.benchmark.timing import measure

#: Name in the configuration -> type of the numbers that are multiplied.
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}

#: Products that would take longer are not tried.
SECONDS_FOR_A_PRODUCT = 3.0


def allow_tf32(allowed: bool) -> None:
    """Whether GPUs may round the factors of fp32 products and convolutions to 10 bits; cuDNN does unless told."""
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    torch.backends.cudnn.allow_tf32 = allowed


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """The context in which the model computes in ``precision``; weights are converted once in each."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def product_rate(precision: str, device: torch.device, repeats: int = 5) -> float:
    """Operations a second of a large square matrix product, the best of ``repeats``.

    A processor without units for bfloat16 is hundreds of times slower at it, and gets smaller matrices.
    """
    largest, rate = 8192 if device.type == "cuda" else 4096, 0.0
    for size in (size for size in (512, 1024, 2048, 4096, 8192) if size <= largest):
        rate = _rate_of(size, PRECISIONS[precision], device, repeats if size == largest else 1)
        if 8 * 2 * size**3 / rate > SECONDS_FOR_A_PRODUCT:
            break
    return rate


def _rate_of(size: int, dtype: torch.dtype, device: torch.device, repeats: int) -> float:
    """Operations a second of products of (size, size) matrices."""
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(left)
    with torch.inference_mode():
        timing = measure(lambda: torch.mm(left, right, out=out), repeats, device)
    return 2 * size**3 / timing.best


def describe(device: torch.device) -> dict[str, Any]:
    """Processor, threads, GPU and versions, for the file of results."""
    card: dict[str, Any] = {
        "device": device.type,
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "torch": torch.__version__,
    }
    if device.type == "cuda":
        card["gpu"] = torch.cuda.get_device_name(device)
        card["tf32"] = torch.get_float32_matmul_precision() != "highest"
        card["cuda"], card["cudnn"] = torch.version.cuda, torch.backends.cudnn.version()
    return card


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
