"""The one door from yaml to objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from densecap.errors import UserError

#: Only classes and functions below these names may be built; a checkpoint's config cannot run anything else.
ALLOWED = ("densecap.", "torch.optim.", "torch.nn.", "pytorch_lightning.")


def build(node: Any, within: Sequence[str] = ALLOWED, **arguments: Any) -> Any:
    """The object a config node describes (``_target_`` and arguments), with further ``arguments`` filled in.

    Nodes marked ``_partial_: true`` become constructors. Errors: UserError for a target that is not defined ``within``
    these packages, which a name such as densecap.cli.entry.os.system only seems to be.
    """
    plain = OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig | ListConfig) else node
    _check(plain, tuple(within))
    try:
        return instantiate(plain, _convert_="all", **arguments)
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):  # said by the part itself
            raise error.__cause__ from None
        raise


def _check(node: Any, within: tuple[str, ...]) -> None:
    if isinstance(node, Mapping):
        target = node.get("_target_")
        if target is not None and not _is_within(str(target), within):
            raise UserError(f"the configuration asks for {target!r}, but only {', '.join(within)}* may be built")
        for value in node.values():
            _check(value, within)
    elif isinstance(node, list | tuple):
        for value in node:
            _check(value, within)
    elif isinstance(node, str) and "${" in node:  # Hydra would resolve it, and build what comes of it unchecked
        raise UserError(f"the configuration holds {node[:60]!r}, which is not resolved: nothing is built from it")


def _is_within(target: str, within: tuple[str, ...]) -> bool:
    """Whether it is named so and what is found under that name was defined there, too."""
    if not target.startswith(within):
        return False
    try:
        found = get_object(target)
    except Exception:  # Hydra says what is wrong with the name
        return True
    return f"{getattr(found, '__module__', '')}.".startswith(within)
