"""The names that PyTorch Lightning 2.6 knows, written here because asking it would import torch.

A test compares them with the installed Lightning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from densecap.cli.names import hint

ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")

_DDP = ("ddp", "ddp_spawn", "ddp_fork", "ddp_notebook")
STRATEGIES = (
    "auto",
    *_DDP,
    *(f"{name}_find_unused_parameters_{flag}" for name in _DDP for flag in ("false", "true")),
    "fsdp",
    "fsdp_cpu_offload",
    "deepspeed",
    "deepspeed_stage_1",
    "deepspeed_stage_2",
    "deepspeed_stage_2_offload",
    "deepspeed_stage_3",
    "deepspeed_stage_3_offload",
    "deepspeed_stage_3_offload_nvme",
    "single_device",
    "single_tpu",
    "single_xla",
    "xla",
    "xla_debug",
)

PRECISIONS = (
    "32-true",
    "bf16-mixed",
    "16-mixed",
    "bf16-true",
    "16-true",
    "64-true",
    "transformer-engine",
    "transformer-engine-float16",
    "bf16",
    "16",
    "32",
    "64",
)


def _one_of(kind: str, names: tuple[str, ...]) -> Callable[[Any], str | None]:
    def problem(value: Any) -> str | None:
        if value is None or str(value) in names or isinstance(value, Mapping):  # a mapping builds an object
            return None
        return f"Lightning has no such {kind}{hint(str(value), names)}"

    return problem


def _devices(value: Any) -> str | None:
    numbers = value if isinstance(value, list) else str(value).split(",")
    whole = all(str(number).strip().lstrip("-").isdigit() for number in numbers)
    if value == "auto" or (whole and numbers and value != 0 and not isinstance(value, bool)):
        return None
    return "expected how many devices (4, or -1 for all), which ([0,1]), or auto"


def _deterministic(value: Any) -> str | None:
    return None if value is None or isinstance(value, bool) or value == "warn" else "expected true, false or warn"


def _count_or_flag(value: Any) -> str | None:
    return None if isinstance(value, int) else "expected true, false or a number of batches"


#: Keys whose values are not told by the type of their default: value -> what is expected instead, or None.
RULES: dict[str, Callable[[Any], str | None]] = {
    "trainer.accelerator": _one_of("accelerator", ACCELERATORS),
    "trainer.strategy": _one_of("strategy", STRATEGIES),
    "trainer.precision": _one_of("precision", PRECISIONS),
    "trainer.devices": _devices,
    "trainer.deterministic": _deterministic,
    "trainer.fast_dev_run": _count_or_flag,
}
