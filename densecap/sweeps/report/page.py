"""The page about a sweep, one file that opens anywhere."""

from __future__ import annotations

import os
from pathlib import Path

from densecap.report.markup import Content, Html, element, section
from densecap.sweeps.report import plots
from densecap.sweeps.report.importance import FEWEST, importances
from densecap.sweeps.report.rows import Row, Sweep, duration, shown
from densecap.web import THEME

STYLE = """
main, header { max-width: 1080px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 48px; } main { padding-bottom: 80px; }
h1 { font-size: 36px; overflow-wrap: anywhere; } h2 { font-size: 24px; margin: 56px 0 6px; }
h3 { font-size: 14px; margin: 0 0 8px; overflow-wrap: anywhere; }
.introduction { color: var(--soft); max-width: 68ch; margin: 0 0 18px; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 20px; }
.pair > * { padding: 16px; min-width: 0; }
svg { width: 100%; height: auto; display: block; font: 11px var(--sans); fill: var(--soft); }
svg .name { fill: var(--ink); } .grid { stroke: var(--line); } .axis { stroke: var(--soft); }
.tick { font-size: 10px; } .dot { fill: var(--accent); } .dot.pruned { fill: none; stroke: var(--warn); }
.best { stroke: var(--good); stroke-width: 2; } .bar { fill: var(--accent); }
.trial { stroke: var(--accent); } .trial.top { stroke: var(--good); stroke-width: 2.5; }
.curve { stroke: var(--accent); opacity: 0.45; } .curve.pruned { stroke: var(--warn); }
.curve.top { stroke: var(--good); stroke-width: 2.5; opacity: 1; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { color: var(--soft); font-weight: 500; } .error { color: var(--bad); max-width: 52ch; }
pre { background: var(--faint); padding: 12px 14px; border-radius: 8px; overflow-x: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; font-size: 12.5px; margin: 0 0 14px; }
"""


def write_page(path: Path, sweep: Sweep, top: int) -> None:
    """It appears under its name when it is complete; ``top`` configurations are given as commands."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(page(sweep, top).encode("utf-8", errors="xmlcharrefreplace"))
    temporary.replace(path)


def page(sweep: Sweep, top: int) -> str:
    """The whole page as text."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{sweep.name} · densecap sweep"),
        element("style", Html(THEME.read_text("utf-8") + STYLE)),
    )
    better = "smaller" if sweep.mode == "min" else "larger"
    header = element(
        "header",
        element("h1", sweep.name),
        element("p", f"{sweep.counts()}; compared by {sweep.metric}, {better} is better", class_="introduction"),
    )
    parts = [_best(sweep, top), _plots(sweep), _slices(sweep), _table(sweep)]
    return (
        "<!DOCTYPE html>\n" + element("html", head, element("body", header, element("main", parts)), lang="en") + "\n"
    )


def _best(sweep: Sweep, top: int) -> Html | None:
    rows = sweep.best(top)
    if not rows:
        return None
    words = "The best of all validations of a trial counts, which is that of its best.ckpt."
    blocks = [[element("h3", _name(sweep, row)), element("pre", sweep.repeat(row))] for row in rows]
    return section("best", "Best configurations", words, blocks)


def _name(sweep: Sweep, row: Row) -> str:
    return f"trial {row.number}: {sweep.metric} {shown(row.value)}"


def _plots(sweep: Sweep) -> Html:
    shares = importances(sweep)
    why = f"It takes {FEWEST} complete trials that differ." if not shares else None
    cards = [
        _card("How it went", plots.history(sweep), "no trial has a value yet"),
        _card("What explains the differences", plots.bars(shares), why),
        _card("At every validation", plots.curves(sweep), "no trial was validated twice"),
    ]
    across = plots.parallel(sweep)
    wide = (
        [element("h3", "Parameters together, the best trial in green"), element("div", across, class_="card")]
        if across
        else None
    )
    words = (
        "Hollow dots are trials that were ended early. A parameter explains the share of the variance that lies "
        "between groups of its values, less what chance would give; what two do only together is not seen."
    )
    return section("plots", "Plots", words, element("div", cards, class_="pair"), element("p"), wide)


def _slices(sweep: Sweep) -> Html | None:
    cards = [_card(key, picture, None) for key, picture in plots.slices(sweep)]
    return section("slices", "Parameter by parameter", None, element("div", cards, class_="pair")) if cards else None


def _card(title: str, picture: Html | None, instead: str | None) -> Html:
    return element("div", element("h3", title), picture or element("p", instead, class_="soft"), class_="card")


def _table(sweep: Sweep) -> Html:
    head = element(
        "tr", [element("th", name) for name in ("trial", "state", sweep.metric, *sweep.keys, "time", "error")]
    )
    body = [element("tr", [element("td", cell) for cell in _cells(sweep, row)]) for row in sweep.ranked]
    content = element("table", element("thead", head), element("tbody", body))
    return section("trials", "All trials", "Best first.", element("div", content, class_="scroll"))


def _cells(sweep: Sweep, row: Row) -> list[Content]:
    error = element("span", row.error, class_="error") if row.error else None
    params = [shown(row.params[key]) if key in row.params else None for key in sweep.keys]
    value = None if row.value is None else shown(row.value)
    return [row.number, row.state, value, *params, duration(row.seconds), error]
