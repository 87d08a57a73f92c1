"""``--help``: commands, groups with their members, options, each with the line that explains it in its file."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

from densecap.cli.comments import explanation, options
from densecap.cli.composition import choices, compose_whole, opened
from densecap.cli.group_checks import groups, members
from densecap.cli.names import listing, nearest, suggestion
from densecap.cli.table import COMMANDS, Command
from densecap.errors import UserError

INDENT = 2
COLUMN = 30


def overview() -> str:
    """The commands, for ``densecap --help``."""
    usage = ["usage: densecap COMMAND [WORD] [key=value ...]      (or python -m densecap COMMAND ...)", ""]
    lines = [line for command in COMMANDS for line in _entry(command.name, command.summary)]
    words = "; ".join(f"{command.word_key}= for {command.name}" for command in COMMANDS if command.word_key)
    note = f"A bare WORD is short for a key: {words}. densecap COMMAND --help lists its groups and options."
    return "\n".join([*usage, *lines, "", *_wrapped(note)])


def command_help(command: Command, config_dir: Path) -> str:
    """Groups with members (the one taken unless another is named is marked with a star) and top-level options."""
    with opened(config_dir) as loader:
        chosen = choices(compose_whole(command.config_name, []))
        known = {group: members(loader, group) for group in _in_order(list(chosen))}
    word = f" [{command.word_key.upper()}]" if command.word_key else ""
    primary = config_dir / f"{command.config_name}.yaml"
    return "\n".join(
        [
            f"usage: densecap {command.name}{word} [group=member ...] [key=value ...]",
            "",
            *_wrapped(explanation(primary) or command.summary),
            "",
            "groups (group=member chooses; * is taken unless you choose):",
            *(line for group in known for line in _group(config_dir, group, known[group], chosen[group])),
            "",
            "options (key=value):",
            *_options(primary),
            "",
            *_wrapped(_footer(command)),
        ]
    )


def group_help(command: Command, group: str, config_dir: Path) -> str:
    """The options of every member of a group; errors: UserError with the nearest groups."""
    with opened(config_dir) as loader:
        known = list(groups(loader))
        if group not in known:
            near = suggestion(nearest(group, known))
            raise UserError(f"there is no group {group}{near}; the groups are {listing(known)}")
        names = members(loader, group)
    lines = [f"options of {group} (--help {group}), by member:"]
    for name in names:
        path = config_dir / group / f"{name}.yaml"
        if not path.is_file():  # from a --config-dir
            continue
        lines += ["", *_entry(f"{group}={name}", explanation(path), indent=0), *_options(path, _prefix(path, group))]
    return "\n".join(lines)


def _in_order(names: list[str]) -> list[str]:
    """Groups in the order of the defaults list (Hydra reports them backwards), each before its parts."""
    backwards = names[::-1]
    tops = list(dict.fromkeys(name.partition("/")[0] for name in backwards))
    return sorted(backwards, key=lambda name: (tops.index(name.partition("/")[0]), name.count("/")))


def _prefix(path: Path, group: str) -> str:
    """Where the keys of a file stand in the configuration: under its group, unless it says ``_global_``."""
    is_global = any(line.startswith("# @package _global_") for line in path.read_text(encoding="utf-8").splitlines())
    return "" if is_global else group.replace("/", ".") + "."


def _footer(command: Command) -> str:
    return (
        f"{command.name} --help GROUP lists the options of a group, for example trainer.devices under trainer. "
        "--cfg job prints the whole configuration instead of running, with --resolve its final values. "
        "-m (--multirun) with key=a,b runs once for each value. --config-dir DIR adds a folder of your own files."
        if command.name == "train"
        else f"{command.name} --help GROUP lists the options of a group; --cfg job prints the whole configuration."
    )


def _group(config_dir: Path, group: str, names: list[str], chosen: str | list[str] | None) -> Iterator[str]:
    several = isinstance(chosen, list)
    taken = chosen if isinstance(chosen, list) else [chosen]
    yield from _entry(group, f"(several: {group}=[{','.join(names[:2])}])" if several else _unless(chosen))
    for name in names:
        path = config_dir / group / f"{name}.yaml"
        text = explanation(path) if path.is_file() else ""
        yield from _entry(f"{'*' if name in taken else ' '} {name}", text, indent=INDENT + 2)
    if several:
        return
    path = config_dir / group / f"{chosen}.yaml"
    names = list(dict.fromkeys(option.key.partition(".")[0] for option in options(path))) if path.is_file() else []
    if names:
        yield from _entry("    options:", ", ".join(names))


def _unless(chosen: object) -> str:
    return "" if chosen else "(none unless you choose)"


def _options(path: Path, prefix: str = "") -> Iterator[str]:
    for option in options(path):
        default = "required" if option.default == "???" else f"default {option.default}"
        yield from _entry(prefix + option.key, f"{option.text} ({default})" if option.text else f"({default})")


def _entry(name: str, text: str, indent: int = INDENT) -> list[str]:
    """``name  text``, the text wrapped in its own column; on a line of its own below a long name."""
    head = " " * indent + name
    if not text:
        return [head]
    pad = " " * COLUMN
    lines = [pad + line for line in textwrap.wrap(text, max(30, _width() - COLUMN))]
    return [head.ljust(COLUMN) + lines[0].strip(), *lines[1:]] if len(head) < COLUMN else [head, *lines]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _width())


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 120)
