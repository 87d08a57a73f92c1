"""What a trained model is known to come from, as it goes on into its folder and its card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch


def trained_on(content: Mapping[str, Any]) -> torch.Tensor | None:
    """(M,) keys of the images a checkpoint was trained on, as the datamodule stored them; None if it does not say."""
    return content.get("CaptioningDataModule", {}).get("trained_on")


def origin_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """From the content of a checkpoint; the backbone of a model that is saved again is among its tensors, whatever it
    was trained on."""
    own = content["densecap"]
    recipe = own.get("recipe")
    config, source = dict(own["config"]), dict(own.get("source") or {})
    figures = source.pop("figures", {})
    if recipe is not None:
        given = {key: recipe[key] for key in ("crop", "input_size", "image_size")}
        config["model"] = {**config["model"], "backbone": recipe["backbone"]} | given
    known = {key: own[key] for key in ("training", "figures", "reports", "licence") if key in own}
    return {
        "config": config,
        "data_name": own["data_name"],
        "source": source,
        "training": training_of(content),
        "figures": dict(best_figures(content)) | figures,
        "trained_on": trained_on(content),
    } | known


def training_of(content: Mapping[str, Any]) -> dict[str, int]:
    """Epochs and steps of training, and on how many images, as far as a checkpoint says."""
    images = trained_on(content)
    rows = {"epochs": content.get("epoch"), "steps": content.get("global_step")}
    rows["images"] = None if images is None else len(images)
    return {name: value for name, value in rows.items() if isinstance(value, int)}


def best_figures(content: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The validation figure that chose the best state, as the callback that kept it noted it."""
    for state in content.get("callbacks", {}).values():
        score = state.get("best_model_score") if isinstance(state, Mapping) else None
        if isinstance(score, torch.Tensor) and state.get("monitor"):
            yield f"best {state['monitor']}", float(score)
