"""Figures of an evaluation for a model's card, from its report.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: What a report says about its figures that is no figure of the model.
NO_FIGURES = ("captions", "references", "images", "regions", "boxes_kept", "seconds")


def figures_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """``data``, ``split``, ``images`` and ``figures`` by a name such as "images/captions/CIDEr"."""
    data = report["data"]
    figures = dict(_numbers(report["protocols"], ""))
    return {"data": data["name"], "split": data["split"], "images": data["images"], "figures": figures}


def _numbers(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    """The fractions among the values below a node, whatever the metrics are; counts are left out."""
    for key, value in node.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _numbers(value, "" if key == "figures" and not prefix else f"{prefix}{key}/")
        elif isinstance(value, float) and key not in NO_FIGURES:
            yield name.replace("/figures/", "/"), value
