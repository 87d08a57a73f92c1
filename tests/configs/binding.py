"""Whether what a configuration says can be called as it says, without calling it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import wandb
from hydra.core.plugins import Plugins
from hydra.utils import get_object
from pytorch_lightning.loggers import TensorBoardLogger, WandbLogger
from torch.utils.tensorboard import SummaryWriter

from densecap.builder import ALLOWED
from densecap.sweeps import plugins

#: Hydra's own keys, which are no arguments.
MARKS = ("_target_", "_partial_", "_convert_", "_recursive_", "_args_")

#: Arguments that the code fills in, by the place of the node; those of a sweeper or a launcher come by ``setup``.
FILLED_IN = {
    "model": ("vocabulary",),
    "model.localization": ("channels", "geometry", "conventions"),
    "model.recognition": ("channels", "pool_size"),
    "model.decoder": ("feature_dim", "vocabulary_size"),
    "task": ("model", "optimizer", "scheduler", "config"),
    "optimizer": ("params",),
    "scheduler": ("optimizer", "total_steps"),
    "trainer": ("callbacks", "logger", "default_root_dir", "enable_model_summary"),
}

#: What classes of other packages do with arguments that they do not name themselves.
HANDED_ON: dict[type, Callable[..., Any]] = {WandbLogger: wandb.init, TensorBoardLogger: SummaryWriter}


def nodes(config: Any, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(place, node) of every ``_target_`` in plain dicts and lists."""
    if isinstance(config, Mapping):
        if "_target_" in config:
            yield place, config
        for key, value in config.items():
            yield from nodes(value, f"{place}.{key}" if place else str(key))
    elif isinstance(config, list):
        for number, value in enumerate(config):
            yield from nodes(value, f"{place}.{number}")


def mistakes(config: Any) -> list[str]:
    """A sentence for each node that could not be built: no such target, one that ``build`` refuses, an argument that it
    does not take, or one that nobody gives."""
    return [f"{place}: {said}" for place, node in nodes(config) if (said := _mistake(place, node))]


def _mistake(place: str, node: Mapping[str, Any]) -> str:
    name = str(node["_target_"])
    try:
        target = _target(name)
    except Exception as error:  # of importing it
        return f"there is no {name} ({error})"
    if not callable(target):
        return f"{name} cannot be called"
    if not place.startswith("hydra.") and not f"{target.__module__}.".startswith(ALLOWED):
        return f"{name} is nothing that may be built"
    given = {key: None for key in FILLED_IN.get(place, ())} | {k: v for k, v in node.items() if k not in MARKS}
    if node.get("_partial_") and place not in FILLED_IN:
        return f"{name} is a constructor whose other arguments nobody is known to give"
    known = accepted(target)
    if known is not None and (unknown := [key for key in given if key not in known]):
        return f"{name} takes no {unknown[0]}"
    try:
        inspect.signature(target).bind(*node.get("_args_", ()), **given)
    except TypeError as error:
        return f"{name}: {error}"
    return ""


def _target(name: str) -> Any:
    plugins.register()  # Hydra finds sweepers and launchers in its table before it imports anything
    return Plugins.instance().class_name_to_class.get(name) or get_object(name)


def accepted(target: Callable[..., Any]) -> set[str] | None:
    """Names of the arguments that it takes, itself or by handing on ``**options`` to the class above; None for any."""
    names: set[str] = set()
    for step in _constructors(target):
        parameters = inspect.signature(step).parameters.values()
        names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names
    return None


def _constructors(target: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    if not inspect.isclass(target):
        yield target
        return
    for cls in target.__mro__:
        if "__init__" in vars(cls) and cls is not object:
            yield vars(cls)["__init__"]
        if cls in HANDED_ON:
            yield HANDED_ON[cls]
