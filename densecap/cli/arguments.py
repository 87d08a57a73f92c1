"""From what stands on the command line to overrides and flags that Hydra understands."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from densecap.cli.names import joined, nearest, suggestion
from densecap.cli.quoting import quote, quote_value
from densecap.cli.sources import COLLECTED, collect
from densecap.cli.table import Command
from densecap.errors import UserError

#: Short names of flags, and what each flag is followed by: nothing, a value, or a value that may be left out.
ALIASES = {"-h": "--help", "-c": "--cfg", "-p": "--package", "-m": "--multirun", "-r": "--run", "-i": "--info"}
FOLLOWED_BY = {
    "--help": "an optional word",
    "--version": "nothing",
    "--cfg": "a value",
    "--package": "a value",
    "--resolve": "nothing",
    "--run": "nothing",
    "--multirun": "nothing",
    "--info": "an optional word",
    "--config-dir": "a value",
}

#: What a flag's value may be.
VALUES = {"--cfg": ("job", "hydra", "all")}

#: ``key=value`` with Hydra's prefixes (+ adds, ++ adds or changes, ~ removes) and its ``group@package``.
_OVERRIDE = re.compile(
    r"(?P<sign>\+\+|\+|~)?(?P<key>[A-Za-z_$][\w$.-]*(?:/[\w.-]+)*(?:@[\w.:-]*)?)(?:=(?P<value>.*))?",
    re.DOTALL | re.ASCII,
)


@dataclass(frozen=True)
class Request:
    """A command with its overrides (quoted for Hydra) and flags (name to value, "" for none)."""

    command: Command
    overrides: list[str] = field(default_factory=list)
    flags: dict[str, str] = field(default_factory=dict)

    @property
    def multirun(self) -> bool:
        return "--multirun" in self.flags

    @property
    def runs(self) -> bool:
        """Whether the command is to be carried out, rather than its configuration shown."""
        return not {"--cfg", "--info", "--help", "--version"} & set(self.flags)

    def hydra_flags(self) -> list[str]:
        return [text for flag, value in self.flags.items() for text in (flag, value) if text]


def read(command: Command, arguments: Sequence[str]) -> Request:
    """Sort the arguments of one command; errors: UserError for unknown flags and words that have no place."""
    flags, rest = _split_flags(arguments)
    multirun = "--multirun" in flags
    overrides: dict[str, str] = {}
    collected: dict[str, list[str]] = {}
    for position, (sign, key, value) in enumerate(_read_overrides(command, rest)):
        if key in COLLECTED and value is not None:
            collected.setdefault(sign + key, []).append(value)
            overrides.setdefault(sign + key, "")
        else:
            ending = "" if value is None else f"={quote_value(key, value, multirun)}"
            overrides[f"{position} {sign}{key}"] = f"{sign}{key}{ending}"
    for name, values in collected.items():
        overrides[name] = f"{name}={collect(name.lstrip('+~'), values)}"
    search_path = flags.pop("--config-dir", None)
    added = [f"hydra.searchpath=[{quote('file://' + str(_folder(search_path)))}]"] if search_path else []
    return Request(command, [*overrides.values(), *added], flags)


def _folder(text: str) -> Path:
    path = Path(text).expanduser().resolve()
    if not path.is_dir():
        raise UserError(f"--config-dir {text}: there is no such folder")
    return path


def _split_flags(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Flags with their values, and everything else; after ``--`` nothing is a flag."""
    flags: dict[str, str] = {}
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":
            return flags, [*rest, *(f"./{word}" if word.startswith("-") else word for word in waiting)]
        if len(argument) < 2 or not argument.startswith("-"):
            rest.append(argument)
            continue
        name, equals, value = argument.partition("=")
        flag = _flag(name)
        flags[flag] = value if equals else _value_after(flag, waiting)
        if flags[flag] not in VALUES.get(flag, (flags[flag],)):
            raise UserError(f"{flag} is followed by {joined(VALUES[flag])}, not by {flags[flag]!r}")
    return flags, rest


def _flag(name: str) -> str:
    flag = ALIASES.get(name, name)
    if flag not in FOLLOWED_BY:
        known = suggestion(nearest(flag, FOLLOWED_BY))
        raise UserError(f"there is no flag {name}{known}; options are written key=value, --help lists them")
    return flag


def _value_after(flag: str, waiting: list[str]) -> str:
    kind = FOLLOWED_BY[flag]
    if kind == "nothing" or (kind == "an optional word" and (not waiting or not _is_word(waiting[0]))):
        return ""
    if not waiting:
        raise UserError(f"{flag} needs a value after it")
    return waiting.pop(0)


def _is_word(argument: str) -> bool:
    return re.fullmatch(r"[A-Za-z_][\w/]*", argument) is not None


def _read_overrides(command: Command, arguments: Sequence[str]) -> Iterator[tuple[str, str, str | None]]:
    """Yield (sign, key, value) of each argument, a bare word being the value of the command's own key."""
    words: list[str] = []
    for argument in arguments:
        match = _OVERRIDE.fullmatch(argument)
        is_override = match is not None and ("=" in argument or match["sign"])
        if match is None or not is_override or (command.word_key and os.path.lexists(argument)):
            words.append(argument)
            yield "", _word_key(command, words), argument
        else:
            yield match["sign"] or "", match["key"], match["value"]


def _word_key(command: Command, words: Sequence[str]) -> str:
    key = command.word_key
    if key is None:
        raise UserError(f"{command.name} has no use for the word {words[0]!r}; options are written key=value")
    if len(words) > 1 and key not in COLLECTED:
        raise UserError(f"{command.name} takes one {key}, but got {words[0]!r} and {words[1]!r}")
    return key
