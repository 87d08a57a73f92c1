"""Checkpoints: a Lightning file that also carries the resolved config and the word list.

What is added under the key ``densecap``: ``version`` (int), ``config`` (plain dicts and lists), ``words`` (the
vocabulary in order), ``data_name``, and of a model that was trained on precomputed features their ``recipe``
(``densecap.models.feature_recipe``), from which the backbone is built again. Only tensors and plain values are stored,
so ``weights_only=True`` reads it.

Wherever a checkpoint is read it may also be a model's folder (``densecap.model_folder``) or an address of one on the
hub. Nothing in either can run code: parts are built from classes of ``densecap.models`` alone.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from densecap.builder import build
from densecap.errors import UserError
from densecap.features.backbones import backbone_of_recipe, for_whole_images
from densecap.model_folder.description import check_description
from densecap.model_folder.folder import read_folder
from densecap.model_folder.hub import fetched, is_hub_address
from densecap.model_folder.layout import WEIGHTS, folder_of, is_graph, is_model_folder
from densecap.model_folder.origin import origin_of, trained_on
from densecap.models.backbones.precomputed import Precomputed
from densecap.models.captioner import Captioner
from densecap.models.feature_recipe import FeatureRecipe
from densecap.models.image_captioner import ImageCaptioner
from densecap.structures import CHECKPOINT_VERSION
from densecap.text.vocabulary import Vocabulary

#: Where the parts of a model are defined: a file can ask for no others.
PARTS = ("densecap.models.",)


@dataclass
class LoadedModel:
    """A model ready to predict, with the config it was trained with."""

    model: Captioner
    config: dict[str, Any]
    path: Path
    data_name: str
    trained_on: torch.Tensor | None = None  # keys of images, see ``densecap.data.training_images``


def card(config: Mapping[str, Any], model: Captioner) -> dict[str, Any]:
    """What a checkpoint says about itself, stored under ``densecap``."""
    name = config.get("data", {}).get("name", "")
    own = {"version": CHECKPOINT_VERSION, "config": dict(config), "words": model.vocabulary.words, "data_name": name}
    recipe = {"recipe": model.backbone.recipe.to_json()} if isinstance(model.backbone, Precomputed) else {}
    return own | recipe


def recipe_of(content: Mapping[str, Any]) -> FeatureRecipe | None:
    """The recipe of the features that a model was trained on; None when it was trained on pixels."""
    recipe = content["densecap"].get("recipe")
    return None if recipe is None else FeatureRecipe.from_json(recipe)


def check_same_features(content: Mapping[str, Any], model: Captioner, path: str | Path, resumes: bool = False) -> None:
    """Errors: UserError when a model that was trained on features is to go on with those of another recipe, or if it
    ``resumes`` exactly, on pixels, or one that was trained on pixels on features."""
    before = recipe_of(content)
    if resumes and (before is None) == isinstance(model.backbone, Precomputed):
        how = "pixels" if before is None else "precomputed features"
        raise UserError(f"{path} was trained on {how}: go on with the same model/backbone, or begin with init={path}")
    if before is None or not isinstance(model.backbone, Precomputed):
        return
    difference = model.backbone.recipe.without_data().difference(before.without_data())
    if difference is not None:
        raise UserError(f"{path} was trained on other features than {model.backbone.file.path} holds: {difference}")


def located(path: str | Path) -> Path:
    """The file of a model's tensors: a checkpoint, or model.safetensors of a folder or of the hub.

    Errors: UserError for an address of the hub that cannot be fetched.
    """
    place = fetched(path) if is_hub_address(path) else Path(path)
    return place / WEIGHTS if is_model_folder(place) else place


def read(path: str | Path) -> dict[str, Any]:
    """The content of a checkpoint or a model's folder on the CPU; errors: UserError when it is missing, broken or not
    ours."""
    path = located(path)
    if path.name == WEIGHTS and is_model_folder(folder_of(path)):
        return read_folder(path)
    if is_graph(path):
        raise UserError(
            f"{path} is a model in ONNX, which predict takes (and densecap.onnx_runtime.captioner in Python), but not "
            "what needs PyTorch: give the checkpoint it was exported from"
        )
    if not path.is_file():
        raise UserError(f"there is no checkpoint at {path}; give the path of a .ckpt file that train.py wrote")
    content = _unpickled(path)
    own = content.get("densecap") if isinstance(content, dict) else None
    if own is None:
        raise UserError(f"{path} holds no densecap model; give a checkpoint that train.py wrote")
    check_description(own, path)
    if not isinstance(content.get("state_dict"), dict):
        raise UserError(f"{path} holds no densecap model: it has no tensors")
    return content


def _unpickled(path: Path) -> Any:
    """Errors: UserError for a file that is broken, or would run code."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is no checkpoint of densecap, or a damaged one: opening it could run code, so it is not "
            "opened; a model of other software becomes a checkpoint with python -m densecap convert path=FILE"
        ) from error
    except Exception as error:  # a damaged file makes PyTorch fail in many ways
        raise UserError(f"{path} cannot be read as a checkpoint ({_first_line(error)}); is it complete?") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def build_model(model_config: Mapping[str, Any], vocabulary: Vocabulary, pretrained: bool = True) -> Captioner:
    """The model a config describes; without ``pretrained`` no ImageNet weights are looked for."""
    plain = dict(model_config)
    if str(plain["_target_"]).endswith(f".{ImageCaptioner.__name__}"):
        plain["backbone"] = for_whole_images(plain["backbone"])
    if not pretrained and "weights" in plain["backbone"]:
        plain["backbone"] = {**plain["backbone"], "weights": None}
    model = build(plain, within=PARTS)(vocabulary=vocabulary)
    if not isinstance(model, Captioner):
        raise UserError(f"model._target_={plain['_target_']} is no captioner")
    return model


def weights_of(content: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The model's tensors, without the prefix Lightning puts before them."""
    prefix = "model."
    return {key[len(prefix) :]: value for key, value in content["state_dict"].items() if key.startswith(prefix)}


def load(path: str | Path, weights: str | None = None) -> LoadedModel:
    """A trained model in evaluation mode, on the CPU.

    A model that was trained on precomputed features has no backbone in its file: it is built as they were computed,
    from ``weights`` (None: where the recipe says they lie), which must be the same.
    """
    path = located(path)
    content = read(path)
    own = content["densecap"]
    tensors = weights_of(content)
    if recipe_of(content) is None:
        _check_fits(content, tensors, path)
    model = _empty_model(content, weights)
    try:
        model.load_state_dict(_with_backbone(tensors, model))
    except RuntimeError as error:
        raise UserError(f"the weights in {path} do not fit the model its config describes: {error}") from error
    for name in ("detection", "generation"):
        if own["config"].get(name):
            setattr(model, name, build(own["config"][name], within=PARTS))
    model.origin = origin_of(content)
    return LoadedModel(model.eval(), own["config"], path, own["data_name"], trained_on(content))


def _check_fits(content: Mapping[str, Any], tensors: Mapping[str, Any], path: Path) -> None:
    """Errors: UserError where the configuration describes no model, or one of other tensors; before any is made, since
    a file from somewhere may ask for more than memory holds."""
    own = content["densecap"]
    try:
        with torch.device("meta"):
            model = build_model(own["config"]["model"], Vocabulary(own["words"]), pretrained=False)
        shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    except UserError:
        raise
    except Exception as error:  # whatever the constructors make of values that nobody meant
        raise UserError(f"the configuration in {path} describes no model: {_first_line(error)}") from error
    found = {name: tuple(value.shape) for name, value in tensors.items() if isinstance(value, torch.Tensor)}
    wrong = sorted(name for name in shapes.keys() | found.keys() if shapes.get(name) != found.get(name))
    if wrong:
        told = f"{wrong[0]} is {found.get(wrong[0], 'missing')}, and the model has {shapes.get(wrong[0], 'none')}"
        raise UserError(
            f"the weights in {path} do not fit the model its config describes: {told}, one of {len(wrong)} differences"
        )


def _empty_model(content: Mapping[str, Any], weights: str | None) -> Captioner:
    """The model of a checkpoint before its weights are filled in, a backbone that is not among them excepted."""
    own = content["densecap"]
    config, vocabulary, recipe = own["config"]["model"], Vocabulary(own["words"]), recipe_of(content)
    if recipe is None:
        return build_model(config, vocabulary, pretrained=False)
    backbone = backbone_of_recipe(recipe, weights)
    plain = {key: value for key, value in config.items() if key != "backbone"}
    plain |= {"crop": recipe.crop, "input_size": recipe.input_size, "image_size": recipe.image_size}
    return build(plain, within=PARTS)(vocabulary=vocabulary, backbone=backbone)


def _with_backbone(weights: dict[str, torch.Tensor], model: Captioner) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint, with the model's own backbone where the checkpoint has none."""
    if any(name.startswith("backbone.") for name in weights):
        return weights
    return weights | {f"backbone.{name}": value for name, value in model.backbone.state_dict().items()}


def _saved(folder: Path, name: str) -> list[Path]:
    """Checkpoints of that name in the folder itself, which may be a run's own ``checkpoints``, and in runs below it."""
    return [*folder.glob(f"{name}.ckpt"), *folder.glob(f"**/checkpoints/{name}.ckpt")]


def newest(outputs: str | Path, name: str | None = None) -> Path | None:
    """A checkpoint of the run under the outputs folder that saved one last, or None: its best, else its last.

    ``name`` asks for ``best`` or ``last`` alone.
    """
    names = [name] if name else ["best", "last"]
    found = [path for each in names for path in _saved(Path(outputs), each) if path.is_file()]
    latest = max(found, key=lambda path: (path.stat().st_mtime, str(path)), default=None)
    return latest and min((path for path in found if path.parent == latest.parent), key=lambda p: names.index(p.stem))
