"""From the configuration of a backbone to one that computes features of whole images, and back from a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from densecap.builder import build
from densecap.errors import UserError
from densecap.models.backbones.base import Backbone
from densecap.models.backbones.weights import IMAGENET
from densecap.models.feature_recipe import FeatureRecipe, digest_of_weights


def for_whole_images(backbone: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with ``classifier: null`` decided: whole images want the layers behind the maps."""
    undecided = "classifier" in backbone and backbone["classifier"] is None
    return {**backbone, "classifier": True} if undecided else dict(backbone)


def with_absolute_weights(backbone: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as a recipe keeps it: found again from any folder."""
    weights = backbone.get("weights")
    if weights in (None, IMAGENET):
        return dict(backbone)
    return {**backbone, "weights": str(Path(str(weights)).expanduser().resolve())}


def backbone_of_recipe(recipe: FeatureRecipe, weights: str | Path | None = None) -> Backbone:
    """The backbone that computed the features, from ``weights`` or from where the recipe says its weights lie.

    Errors: UserError when they are gone, do not fit, or are others than those of the features.
    """
    config = dict(recipe.backbone)
    known = config.get("weights")
    if weights is not None:
        config["weights"] = str(weights)
    elif known not in (None, IMAGENET) and not Path(str(known)).is_file():
        raise UserError(
            f"this model was trained on features of {recipe.backbone_name} with the weights {known}, which are gone: "
            "say where they are with model.backbone.weights=PATH"
        )
    if not recipe.weights_sha256 and weights is None:
        raise UserError(
            f"this model was trained on features of {recipe.backbone_name} that others computed: say with what "
            "weights, model.backbone.weights=PATH"
        )
    backbone: Backbone = build(config, within=("densecap.models.",))
    backbone.set_trainable(False)
    if recipe.weights_sha256 and digest_of_weights(backbone) != recipe.weights_sha256:
        used = config.get("weights") or "random weights"
        raise UserError(
            f"this model was trained on features of {recipe.backbone_name}, and {used} are not the weights that gave "
            "them: say where those are with model.backbone.weights=PATH"
        )
    return backbone.eval()
