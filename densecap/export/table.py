"""The formats that ``export`` writes: one entry each is all that a new one needs here, beside its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from densecap.checkpoint import LoadedModel
from densecap.errors import UserError

#: Writes a model into a folder that is there; the mapping is what is known of where it comes from.
Write = Callable[[LoadedModel, Path, Mapping[str, Any]], None]

#: Compares what was written with the model on a (3, H, W) uint8 picture; returns what to say. Errors: UserError.
Check = Callable[[LoadedModel, Path, Any], str]


@dataclass(frozen=True)
class Format:
    """``module`` has the functions ``write`` and ``check``; ``use`` says how to use the result, with FOLDER for it."""

    name: str
    module: str
    use: str

    @property
    def write(self) -> Write:
        return import_module(self.module).write

    @property
    def check(self) -> Check:
        return import_module(self.module).check


FORMATS = (
    Format("safetensors", "densecap.export.safetensors_folder", "predict source=photo.jpg ckpt=FOLDER"),
    Format("onnx", "densecap.export.onnx_folder", "predict source=photo.jpg ckpt=FOLDER"),
    Format("torch_export", "densecap.export.torch_folder", "info FOLDER"),
)


def find_format(name: str) -> Format:
    """Errors: UserError for a name that is none."""
    found = {item.name: item for item in FORMATS}
    if name not in found:
        raise UserError(f"format={name} is not known: it must be {', '.join(found)}")
    return found[name]
