"""Samplers and pruners by name or by their class in Optuna, as existing configurations have them."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from densecap.errors import UserError

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

SAMPLERS = {
    "tpe": "TPESampler",
    "random": "RandomSampler",
    "cmaes": "CmaEsSampler",
    "gp": "GPSampler",
    "qmc": "QMCSampler",
    "nsgaii": "NSGAIISampler",
}
PRUNERS = {
    "none": "NopPruner",
    "median": "MedianPruner",
    "percentile": "PercentilePruner",
    "hyperband": "HyperbandPruner",
    "halving": "SuccessiveHalvingPruner",
    "threshold": "ThresholdPruner",
    "wilcoxon": "WilcoxonPruner",
}


def sampler_of(node: Mapping[str, Any], place: int) -> BaseSampler:
    """The sampler of the trial that has ``place`` others before it, those that were given back left out.

    Its seed is the configured one plus the place: a sweep that was killed goes on as it would have without that, and
    processes that share a study do not propose the same. Errors: UserError for an unknown name or argument.
    """
    import optuna

    name, arguments = _name_and_arguments("sampler", node, SAMPLERS)
    if arguments.get("seed") is not None:
        arguments["seed"] = int(arguments["seed"]) + place
    if name == "TPESampler":
        arguments.setdefault("constant_liar", True)  # trials under way are taken for poor ones, not repeated
    return _made(optuna.samplers, name, "sampler", arguments, SAMPLERS)


def pruner_of(node: Mapping[str, Any]) -> BasePruner:
    """Errors: UserError for an unknown name or argument."""
    import optuna

    name, arguments = _name_and_arguments("pruner", node, PRUNERS)
    return _made(optuna.pruners, name, "pruner", arguments, PRUNERS)


def _name_and_arguments(kind: str, node: Mapping[str, Any], known: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    arguments = {str(key): value for key, value in node.items()}
    target = str(arguments.pop("_target_", ""))
    short = str(arguments.pop("name", "") or "none")
    arguments.pop("_convert_", None)
    if target:
        prefix, _, name = target.rpartition(".")
        if prefix == f"optuna.{kind}s" and name in known.values():
            return name, arguments
        raise UserError(
            f"hydra.sweeper.{kind}: {target} is none of {', '.join(f'optuna.{kind}s.{n}' for n in known.values())}"
        )
    if short not in known:
        near = get_close_matches(short, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; it is one of {', '.join(known)}"
        raise UserError(f"there is no hydra.sweeper.{kind}.name={short}{hint}")
    return known[short], arguments


def _made(module: Any, name: str, kind: str, arguments: dict[str, Any], known: Mapping[str, str]) -> Any:
    """The object; arguments that only another of the ``known`` classes takes stand there for that one, and are left."""
    accepted = {other: _accepted(getattr(module, other)) for other in known.values()}
    everywhere = {argument for own in accepted.values() for argument in own}
    if unknown := [argument for argument in arguments if argument not in everywhere]:
        takes = ", ".join(accepted[name]) or "nothing"
        raise UserError(f"hydra.sweeper.{kind}: {name} has no {unknown[0]}; it takes {takes}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna's own about what it calls experimental
            own = {argument: value for argument, value in arguments.items() if argument in accepted[name]}
            return getattr(module, name)(**own)
    except (TypeError, ValueError, ImportError) as error:
        raise UserError(f"hydra.sweeper.{kind}: {' '.join(str(error).split())[:200]}") from error


def _accepted(cls: Any) -> list[str]:
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(cls.__init__).parameters.items()
    return [name for name, parameter in parameters if name != "self" and parameter.kind not in kinds]
