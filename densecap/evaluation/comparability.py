"""Whether evaluations may be compared: what they were made on, and where it differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from densecap.evaluation.comparison import Evaluated, Report, lookup

#: How many evaluations with one value are named.
FIRST = 3


@dataclass(frozen=True)
class Fact:
    """Something that must be the same: ``read`` gives it, None where a report does not say it.

    It is not looked at where one of the facts named in ``implied_by`` differs already.
    """

    name: str
    read: Callable[[Report], Any]
    implied_by: tuple[str, ...] = ()


def _at(*path: str) -> Callable[[Report], Any]:
    return lambda report: lookup(report, path)


def _sources(report: Report) -> Any:
    """Files and checksums as text; None for a prepared file that does not know what it was made of."""
    sources = lookup(report, ("data", "sources"))
    return repr(sorted(sources.items())) if isinstance(sources, Mapping) and sources else None


def _captions(protocol: str) -> Callable[[Report], Any]:
    return _at("protocols", protocol, "captions", "references")


_DATA = ("data set", "split", "number of images")
FACTS = (
    Fact("data set", _at("data", "name")),
    Fact("split", _at("data", "split")),
    Fact("number of images", _at("data", "images")),
    Fact("annotation files", _sources, ("data set",)),
    Fact("kept references", _at("data", "regions"), _DATA),
    Fact("references of whole images", _captions("images"), (*_DATA, "kept references")),
    Fact("references of true boxes", _captions("truth"), (*_DATA, "kept references")),
)


def differences(evaluations: Sequence[Evaluated]) -> str:
    """One sentence that names what differs, with who has which value; empty when nothing does."""
    found: dict[str, str] = {}
    for fact in (*FACTS, *_dense_facts(evaluations)):
        holders: dict[Any, list[str]] = {}
        for own in evaluations:
            value = fact.read(own.report)
            if value is not None:
                holders.setdefault(value if isinstance(value, str | int | float) else repr(value), []).append(own.name)
        if len(holders) > 1 and not set(fact.implied_by) & set(found):
            found[fact.name] = _changed_files(evaluations) if fact.read is _sources else _spread(holders)
    parts = [f"{name} ({text})" for name, text in found.items()]
    return f"not comparable, the evaluations differ in {', '.join(parts)}" if parts else ""


def _dense_facts(evaluations: Sequence[Evaluated]) -> list[Fact]:
    """What the references of dense mAP are, of each convention."""
    names = dict.fromkeys(name for own in evaluations for name in _kinds(own.report))
    return [Fact(f"references of {name}", partial(_kind, name)) for name in names]


def _kind(convention: str, report: Report) -> Any:
    return _kinds(report).get(convention)


def _kinds(report: Report) -> dict[str, Any]:
    """Convention to its kind of references, which is the same in both protocols."""
    sections = [lookup(report, ("protocols", protocol, "dense_map")) for protocol in ("truth", "predicted")]
    pairs = [pair for own in sections if isinstance(own, Mapping) for pair in own.items()]
    return {str(name): lookup(figures, ("references",)) for name, figures in pairs}


def _changed_files(evaluations: Sequence[Evaluated]) -> str:
    """The files that do not have one checksum in all evaluations that know theirs."""
    known = [dict(lookup(own.report, ("data", "sources")) or {}) for own in evaluations]
    known = [sources for sources in known if sources]
    names = dict.fromkeys(str(name) for sources in known for name in sources)
    return _named([name for name in names if len({str(sources.get(name)) for sources in known}) > 1])


def _spread(holders: Mapping[Any, Sequence[str]]) -> str:
    """Each value with the evaluations that have it, as "val in a; test in b and c"."""
    return "; ".join(
        f"{f'{value:,}' if isinstance(value, int) else value} in {_named(names)}" for value, names in holders.items()
    )


def _named(names: Sequence[str]) -> str:
    if len(names) > FIRST:
        return f"{', '.join(names[:FIRST])} and {len(names) - FIRST} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
