"""The one door from yaml to objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from densecap.errors import UserError

#: Only classes and functions below these names may be built; a checkpoint's config cannot run anything else.
ALLOWED = ("densecap.", "torch.optim.", "torch.nn.", "pytorch_lightning.")


def build(node: Any, **arguments: Any) -> Any:
    """The object a config node describes (``_target_`` and arguments), with further ``arguments`` filled in.

    Nodes marked ``_partial_: true`` become constructors. Errors: UserError for a target outside the whitelist.
    """
    plain = OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig | ListConfig) else node
    _check(plain)
    try:
        return instantiate(plain, _convert_="all", **arguments)
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):  # said by the part itself
            raise error.__cause__ from None
        raise


def _check(node: Any) -> None:
    if isinstance(node, Mapping):
        target = node.get("_target_")
        if target is not None and not str(target).startswith(ALLOWED):
            raise UserError(f"the configuration asks for {target!r}, but only {', '.join(ALLOWED)}* may be built")
        for value in node.values():
            _check(value)
    elif isinstance(node, list):
        for value in node:
            _check(value)
