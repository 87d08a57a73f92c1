"""Curves: where a value is drawn, what is smoothed, and which curves share a panel."""

import numpy as np
import pytest
from PIL import Image, ImageColor

from densecap.runs.chart import (
    BOTTOM,
    COLOURS,
    HEIGHT,
    LEFT,
    RIGHT,
    SCALE,
    TOP,
    WIDTH,
    Axes,
    Line,
    draw_chart,
    running_mean,
    short,
    thinned,
    ticks_between,
)
from densecap.runs.curves import draw_curves, save_curves
from densecap.runs.history import History, history_of
from densecap.runs.panels import label, panels_of


def line(values, steps=None, **options):
    values = np.array(values, float)
    return Line(
        "a", np.arange(len(values), dtype=float) if steps is None else np.array(steps, float), values, **options
    )


def test_values_lie_where_the_axes_say():
    axes = Axes(0, 100, 0.0, 2.0)
    assert axes.across(np.array([0, 50, 100])).tolist() == [
        SCALE * LEFT,
        SCALE * (LEFT + (WIDTH - LEFT - RIGHT) / 2),
        SCALE * (WIDTH - RIGHT),
    ]
    assert axes.down(np.array([2.0, 0.0])).tolist() == [SCALE * TOP, SCALE * (HEIGHT - BOTTOM)]
    tenfold = Axes(0, 1, 0.0, 2.0, logarithmic=True)
    assert tenfold.down(np.array([10.0])).tolist() == [SCALE * (TOP + (HEIGHT - TOP - BOTTOM) / 2)]


def test_the_line_is_drawn_there_and_nowhere_else():
    """A step of value 1 up to step 50, then of 3: the colour of the line is found at both heights, not between."""
    picture = draw_chart("t", [line([1, 1, 3, 3], [0, 50, 50.001, 100])], span=(0, 100))
    axes = Axes.around([line([1, 3])], (0, 100))
    wanted = np.array(ImageColor.getrgb(COLOURS[0]))
    pixels = np.asarray(picture).astype(int)
    for step, value, other in ((25, 1, 3), (75, 3, 1)):
        column = round(float(axes.across(np.array([step]))[0]) / SCALE)
        rows = [round(float(axes.down(np.array([height]))[0]) / SCALE) for height in (value, other)]
        distance = np.abs(pixels[rows[0] - 1 : rows[0] + 2, column] - wanted).sum(axis=1).min()
        assert distance < 120, "the line is missing"
        blue = np.abs(pixels[rows[1] - 3 : rows[1] + 4, column] - wanted).sum(axis=1).min()
        assert blue > 200, "the line is where it should not be"


def test_only_costs_of_many_sizes_get_a_logarithmic_axis():
    assert Axes.around([line([1, 1000], cost=True)]).logarithmic
    assert not Axes.around([line([1, 1000])]).logarithmic
    assert not Axes.around([line([1, 10], cost=True)]).logarithmic
    assert not Axes.around([line([0, 1000], cost=True)]).logarithmic


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0], [0.0, 0.0], [-1e-9, 1e12]])
def test_flat_and_single_curves_are_drawn(values):
    axes = Axes.around([line(values)])
    assert axes.low < min(values) <= max(values) < axes.high
    assert draw_chart("t", [line(values)]).size == (WIDTH, HEIGHT)


def test_ticks_are_round_numbers_inside():
    assert ticks_between(0, 100, 5) == [0, 20, 40, 60, 80, 100]
    assert ticks_between(0.13, 0.52, 4) == pytest.approx([0.2, 0.3, 0.4, 0.5])
    assert [short(value) for value in (0, 12000, 0.05, 2e-5, 3.5e6, -1.5)] == [
        "0",
        "12k",
        "0.05",
        "2e-5",
        "3.5M",
        "-1.5",
    ]


def test_long_curves_are_means_of_neighbours():
    steps, values = thinned(np.arange(1000.0), np.arange(1000.0) * 2, most=10)
    assert steps.tolist() == [49.5 + 100 * place for place in range(10)]
    assert values.tolist() == (2 * steps).tolist()
    assert thinned(np.arange(5.0), np.arange(5.0))[0].tolist() == [0, 1, 2, 3, 4]


def test_the_running_mean_has_no_pull_to_the_start():
    assert running_mean(np.full(50, 7.0)) == pytest.approx(np.full(50, 7.0))
    smooth = running_mean(np.array([1.0, 3.0]))
    assert smooth[0] == 1.0 and 1 < smooth[1] < 3


def test_what_belongs_together_shares_a_panel():
    names = ["val/BLEU-1", "val/BLEU-4", "train/loss", "val/loss", "train/loss_box", "lr-Adam/pg1", "lr-Adam/pg2",
             "val/recall@.5", "val/recall@.7", "speed/images_per_second", "memory/process_GiB"]  # fmt: skip
    found = {panel.title: panel.names for panel in panels_of(names)}
    assert found == {
        "loss": ("train/loss", "val/loss"),
        "BLEU": ("val/BLEU-1", "val/BLEU-4"),
        "recall": ("val/recall@.5", "val/recall@.7"),
        "box loss": ("train/loss_box",),
        "learning rate": ("lr-Adam/pg1", "lr-Adam/pg2"),
        "images per second": ("speed/images_per_second",),
        "memory, GiB": ("memory/process_GiB",),
    }
    assert sorted(name for group in found.values() for name in group) == sorted(names)
    panels = {panel.title: panel for panel in panels_of(names)}
    assert [label(name, panels["BLEU"]) for name in panels["BLEU"].names] == ["BLEU-1", "BLEU-4"]
    assert [label(name, panels["loss"]) for name in panels["loss"].names] == ["train", "val"]
    assert [label(name, panels["learning rate"]) for name in panels["learning rate"].names] == ["pg1", "pg2"]


def test_the_picture_holds_a_panel_for_each(tmp_path):
    history = History()
    assert draw_curves(history) is None and not save_curves(history, tmp_path / "curves.png")
    for step in range(5):
        history.add(step, {"train/loss": 2.0 - step / 5, "val/loss": 2.1, "val/CIDEr": step / 5, "epoch": 0.0})
    assert save_curves(history, tmp_path / "curves.png", "a heading")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.format == "PNG" and 2 * WIDTH < picture.width < 2.2 * WIDTH
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_the_table_is_read_whatever_is_in_it():
    history = history_of(
        [
            {"step": "1", "epoch": "0", "val/loss": "3", "val/CIDEr": ""},
            {"step": "4", "epoch": "1", "val/loss": "2.5", "val/CIDEr": "nan"},
            {"step": "", "val/loss": "9"},
            {"step": "9", "val/loss": "torn", None: ["more"]},
        ]
    )
    assert history.curves == {"val/loss": [(1, 3.0), (4, 2.5)]}
    assert (history.last("val/loss"), history.best("val/loss"), history.best("val/CIDEr")) == (2.5, 2.5, None)
    history.add(9, {"val/CIDEr": 0.5, "val/perplexity": 3.0})
    history.add(12, {"val/CIDEr": 0.25, "val/perplexity": 5.0})
    assert (history.best("val/CIDEr"), history.best("val/perplexity"), history.last_step) == (0.5, 3.0, 12)
