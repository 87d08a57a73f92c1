"""Whether a group has the member that was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override, OverrideType

from densecap.cli.names import listing, nearest, suggestion
from densecap.errors import UserError


def chooses(loader: ConfigLoader, override: Override) -> bool:
    """Whether an override chooses a member of a group; ``trainer={devices: 2}`` sets values in it instead."""
    key, value = override.key_or_group, override._value
    return "." not in key and not isinstance(value, dict) and bool(loader.get_group_options(key, results_filter=None))


def members(loader: ConfigLoader, group: str) -> list[str]:
    return sorted(loader.get_group_options(group, results_filter=ObjectType.CONFIG))


def groups(loader: ConfigLoader, parent: str = "") -> Iterator[str]:
    """All groups of the project, the parts of a model included; without Hydra's own."""
    for name in sorted(loader.get_group_options(parent, results_filter=ObjectType.GROUP)):
        group = f"{parent}/{name}" if parent else name
        if group != "hydra":
            yield group
            yield from groups(loader, group)


def check_member(loader: ConfigLoader, override: Override, chosen: list[object]) -> None:
    """Errors: UserError with the nearest members when one of the ``chosen`` ones does not exist."""
    group = override.key_or_group
    known = members(loader, group)
    for choice in chosen:
        for name in choice if isinstance(choice, list) else [choice]:
            if name is None:
                raise UserError(f"{group}=null chooses nothing: leave it away, or write ~{group} to drop the default")
            if str(name) not in known:
                near = suggestion(nearest(str(name), known), prefix=f"{group}=")
                raise UserError(f"there is no {group}={name}{near}; {group} is one of {listing(known)}")


def none_for_null(loader: ConfigLoader, override: Override, text: str) -> str:
    """``metric=null`` is ``metric=none`` where the group has such a member; Hydra cannot choose nothing."""
    nothing = override.type == OverrideType.CHANGE and not override.is_sweep_override() and override.value() is None
    if nothing and chooses(loader, override) and "none" in members(loader, override.key_or_group):
        return f"{text.partition('=')[0]}=none"
    return text


def explain_unused_group(message: str, command: str, used: list[str]) -> str:
    """Hydra's words for a group that a command does not have, made a sentence; other messages stay."""
    match = re.search(r"Could not override '([^']+)'\. No match in the defaults list", message)
    if not match:
        return message
    group = match[1]
    return f"{command} has no use for the group {group}{suggestion(nearest(group, used))}; it has {listing(used)}"
