"""What a file of weights holds, in the words and numbers that ``info`` shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from densecap.conversion.torch_files import load
from densecap.errors import UserError
from densecap.structures import CHECKPOINT_VERSION

#: Names of tensors that are kept but not learned.
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")

#: Words that are shown of a vocabulary.
SOME_WORDS = 12

#: Models by the class that their configuration names.
KINDS = {"DenseCaptioner": "a dense captioner", "ImageCaptioner": "a captioner of whole images"}


@dataclass
class Description:
    """``kind`` in a few words; ``sections`` of names and plain values: parts, vocabulary, training, source, figures."""

    kind: str
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)


def describe_torch_file(path: Path) -> Description:
    """A checkpoint of ours or a file of tensors. Errors: UserError for what is neither, or would have to run code."""
    content = load(
        path,
        f"{path} is a pickle that would run code when it is opened, or no file of tensors at all: it is not opened",
    )
    if isinstance(content, dict) and isinstance(content.get("densecap"), dict):
        return describe_checkpoint(content)
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not any(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path} holds neither a model of ours nor tensors by name")
    return describe_weights(state, content.get("source"))


def describe_checkpoint(content: Mapping[str, Any]) -> Description:
    """The content of a checkpoint, ours or just converted."""
    own = content["densecap"]
    config = own.get("config", {})
    model = config.get("model", {})
    words = own.get("words", [])
    name = config.get("choices", {}).get("model") or _class_name(model)
    about = KINDS.get(_class_name(model), "a model")
    version = own.get("version", 0)
    newer = f", newer than {CHECKPOINT_VERSION}, the last this version reads" if version > CHECKPOINT_VERSION else ""
    source = dict(own.get("source", {}))
    figures = source.pop("figures", {})
    sections = {
        "parts": _parts(content.get("state_dict", {}), model),
        "vocabulary": {"words": len(words), "the first": ", ".join(words[:SOME_WORDS])},
        "training": _training(content, own),
        "source": source,
        "figures": dict(_figures(content)) | figures,
    }
    return Description(f"{about}, {name} (a checkpoint of densecap, format {version}{newer})", _filled(sections))


def describe_weights(state: Mapping[str, Any], source: Mapping[str, Any] | None = None) -> Description:
    """A state dict, such as the weights of a backbone."""
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    sections = {"parts": _parts(tensors, {}), "source": dict(source or {})}
    return Description("tensors by name, without a model", _filled(sections))


def _filled(sections: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {title: rows for title, rows in sections.items() if rows}


def _parts(state: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, int]:
    """Learned numbers of each part of the model, with its class, and in all."""
    counts: dict[str, int] = {}
    for key, value in state.items():
        names = key.removeprefix("model.").split(".")
        if isinstance(value, Tensor) and names[-1] not in STATISTICS:
            counts[names[0]] = counts.get(names[0], 0) + value.numel()
    named = {_with_class(part, model.get(part)): count for part, count in counts.items()}
    return {**named, "all parameters": sum(counts.values())}


def _with_class(part: str, node: Any) -> str:
    name = _class_name(node) if isinstance(node, Mapping) else ""
    return f"{part} ({name})" if name else part


def _class_name(node: Mapping[str, Any]) -> str:
    return str(node.get("_target_", "")).rpartition(".")[2]


def _training(content: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    rows: dict[str, Any] = {"data set": own.get("data_name") or None}
    rows |= {"epochs": content.get("epoch"), "steps": content.get("global_step")}
    images = content.get("CaptioningDataModule", {}).get("trained_on")
    rows["images"] = len(images) if isinstance(images, Tensor) else None
    if own.get("recipe"):
        rows["features"] = "precomputed; the backbone is not in the file"
    return {name: value for name, value in rows.items() if value is not None}


def _figures(content: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    """The validation figure that chose the best state, as the callback that kept it noted it."""
    for state in content.get("callbacks", {}).values():
        score = state.get("best_model_score") if isinstance(state, Mapping) else None
        if isinstance(score, Tensor) and state.get("monitor"):
            yield f"best {state['monitor']}", float(score)
