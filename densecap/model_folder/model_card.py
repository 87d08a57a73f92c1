"""The card of a model: README.md with the front matter that hubs read, and only what is known of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from torch import Tensor

#: What models are called by the class that their configuration names.
ABOUT = {
    "DenseCaptioner": "Finds the regions of a photo and describes each in words (DenseCap, Johnson et al., CVPR 2016).",
    "ImageCaptioner": "Describes a whole image, or a box cut out of it, in a sentence (m-RNN, Mao et al., ICLR 2015).",
}

#: Parts whose classes are named.
PARTS = ("backbone", "localization", "recognition", "decoder")


def card_text(
    about: Mapping[str, Any], words: Sequence[str], tensors: Mapping[str, Tensor], digests: Mapping[str, str]
) -> str:
    """``about`` is what config.json says, ``digests`` the SHA-256 of files by their name."""
    model = about["config"]["model"]
    name = about["config"]["choices"].get("model") or class_name(model)
    sections = [
        f"# {name}\n\n{ABOUT.get(class_name(model), '')}",
        _usage(),
        _list("Parts", _parts(model, tensors) | {"vocabulary": f"{len(words):,} words"}),
        _list("Training", _training(about)),
        _list("Source", {key: _plain(value) for key, value in (about.get("source") or {}).items() if key != "figures"}),
        _figures(about),
        _list("Files", {key: f"SHA-256 `{value}`" for key, value in digests.items()}),
    ]
    return _front_matter(about) + "\n\n".join(part for part in sections if part) + "\n"


def class_name(node: Mapping[str, Any]) -> str:
    return str(node.get("_target_", "")).rpartition(".")[2]


def _front_matter(about: Mapping[str, Any]) -> str:
    kind = "dense-captioning" if class_name(about["config"]["model"]) == "DenseCaptioner" else "image-captioning"
    values: dict[str, Any] = {
        "library_name": "densecap",
        "pipeline_tag": "image-to-text",
        "tags": ["densecap", kind],
    }
    if about.get("licence"):
        values["license"] = str(about["licence"])
    return "---\n" + yaml.safe_dump(values, sort_keys=False, allow_unicode=True) + "---\n\n"


def _usage() -> str:
    return (
        "## Use\n\n```python\nimport densecap\n\n"
        'result = densecap.load("FOLDER").predict("photo.jpg")  # or densecap.load("hf://ORGANISATION/NAME")\n'
        "print(result.captions)\n```\n\n"
        "```bash\npython -m densecap predict source=photo.jpg ckpt=FOLDER\n```"
    )


def _parts(model: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, str]:
    rows = {}
    for part in PARTS:
        numbers = sum(value.numel() for name, value in tensors.items() if name.startswith(f"{part}."))
        if isinstance(model.get(part), Mapping) and numbers:
            rows[part] = f"{class_name(model[part])}, {numbers:,} numbers"
    return rows | {"all": f"{sum(value.numel() for value in tensors.values()):,} numbers"}


def _training(about: Mapping[str, Any]) -> dict[str, str]:
    rows = {"data set": about["data_name"]} if about["data_name"] else {}
    return rows | {key: _plain(value) for key, value in (about.get("training") or {}).items()}


def _figures(about: Mapping[str, Any]) -> str:
    """The figures that the checkpoint holds, then those of each report, with data and split."""
    parts = [_list("Figures", {key: _plain(value) for key, value in (about.get("figures") or {}).items()})]
    for report in about.get("reports") or []:
        where = f"{report['data']}, split {report['split']}, {report['images']:,} images"
        rows = "\n".join(f"| {key} | {_plain(value)} |" for key, value in report["figures"].items())
        parts.append(f"## Measured on {where}\n\n| figure | value |\n| --- | ---: |\n{rows}")
    return "\n\n".join(part for part in parts if part)


def _list(title: str, rows: Mapping[str, str]) -> str:
    return "\n".join([f"## {title}\n", *(f"- {key}: {value}" for key, value in rows.items())]) if rows else ""


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return " ".join(str(value).split())
