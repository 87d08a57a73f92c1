"""What a conversion gives: the content of a checkpoint, or of a file of a backbone's weights, with its origin."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from densecap import checkpoint
from densecap.conversion.model_config import Node, part
from densecap.errors import UserError
from densecap.models.generation import GenerationSettings
from densecap.models.settings import DetectionSettings
from densecap.text.vocabulary import Vocabulary

#: Numbers that are looked at together.
BLOCK = 1 << 22


@dataclass(frozen=True)
class Converted:
    """``content`` is what ``torch.save`` writes, ``ending`` that of the file's name; ``found`` says in a few words what
    it is, and ``use`` how to use it, with PATH for the file. What is no file of PyTorch's has a ``write`` of its own.
    """

    content: dict[str, Any]
    ending: str
    found: str
    use: str
    write: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class ForeignModel:
    """A model as a file of another software holds it: ``weights`` under our names, ``config`` of ``configs/model``.

    ``facts`` are what else the file says about itself, ``figures`` how good it says it is, in plain values; ``name`` is
    what the model is called here, and
    ``detection`` what it wants otherwise than the defaults of that.
    """

    name: str
    config: Node
    words: Sequence[str]
    weights: Mapping[str, np.ndarray]
    data_name: str
    max_length: int
    facts: Mapping[str, Any]
    figures: Mapping[str, float]
    detection: Mapping[str, Any] = field(default_factory=dict)


def source_of(path: Path, format_name: str) -> dict[str, Any]:
    """Where a model comes from, as its checkpoint keeps it: name, size and SHA-256 of the file, its format."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": digest, "format": format_name}


def as_checkpoint(foreign: ForeignModel, path: Path, format_name: str) -> Converted:
    """A checkpoint that every command takes; errors: UserError when the tensors are not those of the model."""
    vocabulary = vocabulary_of(foreign.words, path)
    with torch.device("meta"):
        model = checkpoint.build_model(foreign.config, vocabulary, pretrained=False)
    check_tensors(foreign.weights, {name: tuple(value.shape) for name, value in model.state_dict().items()}, path)
    config = {
        "model": foreign.config,
        "data": {"name": foreign.data_name},
        "detection": part(DetectionSettings, **asdict(DetectionSettings(**foreign.detection))),
        "generation": part(GenerationSettings, **asdict(GenerationSettings(max_length=foreign.max_length))),
        "choices": {"model": foreign.name},
    }
    source = source_of(path, format_name) | dict(foreign.facts) | {"figures": dict(foreign.figures)}
    card = checkpoint.card(config, model) | {"source": source}
    state = {f"model.{name}": tensor_of(array) for name, array in foreign.weights.items()}
    found = f"{foreign.name}: {sum(map(np.size, foreign.weights.values())):,} parameters, {len(vocabulary):,} words"
    use = "python -m densecap predict source=photo.jpg ckpt=PATH"
    return Converted({"state_dict": state, "densecap": card}, ".ckpt", found, use)


def vocabulary_of(words: Sequence[str], path: Path) -> Vocabulary:
    try:
        return Vocabulary(words)
    except ValueError as error:
        raise UserError(f"{path} has a broken vocabulary: {error}") from error


def check_tensors(weights: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], path: Path) -> None:
    """Errors: UserError for a tensor that is missing, too much, of another shape, or not made of numbers."""
    wrong = sorted(shapes.keys() ^ weights.keys())
    if wrong:
        raise UserError(
            f"{path} does not give the tensors of the model: {', '.join(wrong[:5])} are in one of both only"
        )
    for name, array in weights.items():
        if array.shape != shapes[name]:
            raise UserError(f"{path} gives {name} the size {array.shape} where the model has {shapes[name]}")
    check_finite(weights, path)


def check_finite(weights: Mapping[str, np.ndarray], path: Path) -> None:
    """Errors: UserError for a tensor with values that are not numbers. Looks at a block at a time."""
    for name, array in weights.items():
        if not all(np.isfinite(block).all() for block in _blocks(array)):
            raise UserError(f"{path} holds values that are not numbers in {name}")


def _blocks(array: np.ndarray) -> list[np.ndarray]:
    if array.ndim == 0:
        return [array]
    rows = max(1, BLOCK // max(1, array[:1].size))
    return [array[start : start + rows] for start in range(0, len(array), rows)]


def tensor_of(array: np.ndarray) -> Tensor:
    """The array as a tensor; without a copy where its numbers lie one after the other, as in a mapped file."""
    return torch.from_numpy(np.ascontiguousarray(array)).reshape(array.shape)
