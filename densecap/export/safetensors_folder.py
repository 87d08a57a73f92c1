"""``format=safetensors``: a model's folder (``densecap.model_folder``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from densecap import checkpoint
from densecap.checkpoint import LoadedModel
from densecap.errors import UserError
from densecap.model_folder.folder import write_folder


def write(loaded: LoadedModel, folder: Path, origin: Mapping[str, Any]) -> None:
    """Errors: UserError when the folder cannot be written."""
    words = loaded.model.vocabulary.words
    write_folder(folder, loaded.model.state_dict(), origin, words, origin.get("trained_on"))


def check(loaded: LoadedModel, folder: Path, picture: Any) -> str:
    """Read it back: every tensor and word must be the same."""
    again = checkpoint.load(folder).model
    own, read = loaded.model.state_dict(), again.state_dict()
    if again.vocabulary != loaded.model.vocabulary or own.keys() != read.keys():
        raise UserError(f"{folder} does not give the same model back: please report this")
    if not all(torch.equal(own[name], read[name]) for name in own):
        raise UserError(f"{folder} does not give the same tensors back: please report this")
    return f"read back: all {len(own)} tensors and {len(again.vocabulary)} words are the same"
