"""The plots of a sweep: how it went, what mattered, and how parameters and figures belong together."""

from __future__ import annotations

from collections.abc import Mapping

from densecap.report.markup import Html, element
from densecap.sweeps.report.axes import HEIGHT, TOP, WIDTH, Scale, path, plot, point, text
from densecap.sweeps.report.rows import PRUNED, Row, Sweep, shown

#: Sides of the parallel coordinates, which have room for names above and below.
EDGE, ABOVE, BELOW = 70, 34, 26
#: Least width of the parallel coordinates.
WIDE = 900
#: Runs whose curves are drawn, the best ones.
MOST_CURVES = 60


def history(sweep: Sweep) -> Html | None:
    """The figure of every trial, and the best so far as a line; pruned trials are hollow."""
    rows = sorted((row for row in sweep.rows if row.value is not None), key=lambda row: row.number)
    if not rows:
        return None
    across = Scale.of([row.number for row in rows], may_be_logarithmic=False)
    upwards = _figures(sweep)
    best: list[tuple[float, float]] = []
    reached: float | None = None
    for row in sweep.complete:
        assert row.value is not None
        if reached is None or sweep.better(row.value, reached):
            reached = row.value
        best.append(point(across(row.number), upwards(reached)))
    dots = [_dot(sweep, row, point(across(row.number), upwards(row.value))) for row in rows]
    line = [path(best, class_="best")] if best else []
    return plot(
        f"{sweep.metric} of every trial, and the best so far", across, upwards, ("trial", sweep.metric), *line, *dots
    )


def bars(shares: Mapping[str, float]) -> Html | None:
    """A bar for the importance of each parameter."""
    if not shares:
        return None
    parts = []
    step, left = 26, 200
    for place, (key, share) in enumerate(shares.items()):
        y = TOP + place * step
        width = share * (WIDTH - left - 60)
        parts += [
            text(left - 8, y + 14, key, "end"),
            element("rect", x=left, y=y + 3, width=max(width, 1), height=15, class_="bar"),
            text(left + max(width, 1) + 6, y + 15, f"{100 * share:.0f} %", "start"),
        ]
    height = 2 * TOP + step * len(shares)
    title = element("title", "share of the figure's variance that each parameter explains")
    return element("svg", title, parts, viewBox=f"0 0 {WIDTH} {height}", role="img")


def parallel(sweep: Sweep) -> Html | None:
    """A line for every complete trial across one axis per parameter and, last, its figure; better ones are stronger."""
    rows = sweep.best(len(sweep.rows))
    keys = [key for key in sweep.keys if all(key in row.params for row in rows)]
    if len(rows) < 2 or not keys:
        return None
    width = max(WIDE, 2 * EDGE + 120 * len(keys))
    columns = [*([row.params[key] for row in rows] for key in keys), [row.value for row in rows]]
    scales = [Scale.of(column) for column in columns]
    xs = [EDGE + place * (width - 2 * EDGE) / (len(columns) - 1) for place in range(len(columns))]
    lines = []
    for place in reversed(range(len(rows))):
        points = [(x, _height(scale(column[place]))) for x, scale, column in zip(xs, scales, columns)]
        share = 1 - place / (len(rows) - 1)
        lines.append(
            path(points, class_="trial top" if place == 0 else "trial", style=f"opacity:{0.15 + 0.7 * share:.2f}")
        )
    axes = [_axis(x, scale, name) for x, scale, name in zip(xs, scales, [*keys, sweep.metric])]
    title = element("title", "parameters and figure of every trial")
    return element("svg", title, axes, lines, viewBox=f"0 0 {width} {HEIGHT}", role="img")


def slices(sweep: Sweep) -> list[tuple[str, Html]]:
    """For each parameter its values against the figure."""
    found = []
    for key in sweep.keys:
        rows = [row for row in sweep.rows if row.value is not None and key in row.params]
        if len(rows) < 2:
            continue
        across, upwards = Scale.of([row.params[key] for row in rows]), _figures(sweep)
        dots = [_dot(sweep, row, point(across(row.params[key]), upwards(row.value))) for row in rows]
        found.append((key, plot(f"{sweep.metric} against {key}", across, upwards, (key, sweep.metric), *dots)))
    return found


def curves(sweep: Sweep) -> Html | None:
    """The figure at every validation, a line for each of the best trials."""
    rows = [row for row in sweep.ranked if len([value for value in row.values if value is not None]) > 1]
    rows = rows[:MOST_CURVES]
    if not rows:
        return None
    known = [value for row in rows for value in row.values if value is not None]
    across = Scale.of([1, max(len(row.values) for row in rows)], may_be_logarithmic=False)
    upwards = Scale.of(known)
    best = sweep.ranked[0]
    lines = []
    for row in reversed(rows):
        points = [point(across(n), upwards(v)) for n, v in enumerate(row.values, start=1) if v is not None]
        kind = "curve top" if row is best else "curve pruned" if row.state == PRUNED else "curve"
        lines.append(path(points, class_=kind))
    return plot(f"{sweep.metric} at every validation", across, upwards, ("validation", sweep.metric), *lines)


def _figures(sweep: Sweep) -> Scale:
    return Scale.of([row.value for row in sweep.rows if row.value is not None])


def _dot(sweep: Sweep, row: Row, place: tuple[float, float]) -> Html:
    words = ", ".join(
        [
            f"trial {row.number}",
            f"{sweep.metric} {shown(row.value)}",
            *(f"{k}={shown(v)}" for k, v in row.params.items()),
        ]
    )
    kind = "dot pruned" if row.state == PRUNED else "dot"
    x, y = place
    return element("circle", element("title", words), cx=f"{x:.1f}", cy=f"{y:.1f}", r=4, class_=kind)


def _height(share: float) -> float:
    return ABOVE + (1 - share) * (HEIGHT - ABOVE - BELOW)


def _axis(x: float, scale: Scale, name: str) -> list[Html]:
    marks = [text(x + 5, _height(place) + 4, words, "start", "tick") for place, words in scale.ticks]
    line = element("line", x1=x, x2=x, y1=ABOVE, y2=HEIGHT - BELOW, class_="axis")
    return [line, *marks, text(x, ABOVE - 14, name.rpartition(".")[2], "middle", "name")]
