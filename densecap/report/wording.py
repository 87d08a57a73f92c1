"""The part about the captions themselves: length, vocabulary, repetition."""

from __future__ import annotations

from collections import Counter

from densecap.metrics.caption_use import CaptionUse, usage_gaps, verbatim_share, vocabulary_share
from densecap.report.markup import Content, Html, count, element, figure, percent, table

#: Words on each side, captions, and the length from which captions are counted together.
NUM_WORDS, NUM_CAPTIONS, LONGEST = 12, 15, 20


def wording(predicted: CaptionUse, truth: CaptionUse) -> list[Html]:
    """All of it."""
    return [
        _overview(predicted, truth),
        element("h3", "Words in a caption"),
        _histogram(predicted.lengths, truth.lengths),
        element("h3", "Words used more and less often than in the truth"),
        _gaps(predicted, truth),
        element("h3", "Most repeated captions"),
        _repeated(predicted, truth),
    ]


def _overview(predicted: CaptionUse, truth: CaptionUse) -> Html:
    rows: list[list[Content]] = [
        ["captions", count(predicted.num_captions), count(truth.num_captions)],
        ["distinct captions", count(len(predicted.captions)), count(len(truth.captions))],
        ["share of distinct captions", percent(predicted.distinct_share, 1), percent(truth.distinct_share, 1)],
        ["words in a caption, mean", figure(predicted.mean_length, 2), figure(truth.mean_length, 2)],
        ["distinct words", count(len(predicted.words)), count(len(truth.words))],
        ["share of the truth's distinct words", percent(vocabulary_share(predicted, truth), 1), ""],
        ["word for word a caption of the truth", percent(verbatim_share(predicted, truth), 1), ""],
    ]
    return table(["", "predicted", "truth"], rows, class_="plain")


def _histogram(predicted: Counter[int], truth: Counter[int]) -> Html:
    """Two bars for each length, the tallest of all at full height."""
    columns = [_shares(lengths) for lengths in (predicted, truth)]
    highest = max((share for shares in columns for share in shares), default=0.0)
    if not highest:
        return element("p", "No captions.", class_="undefined")
    last = max(place for shares in columns for place, share in enumerate(shares) if share)
    first = min(place for shares in columns for place, share in enumerate(shares) if share)
    groups = []
    for length in range(first, last + 1):
        bars = [
            element(
                "span",
                class_=class_,
                style=f"height:{100 * shares[length] / highest:.1f}%",
                title=f"{name}, {_length(length)} words: {100 * shares[length]:.1f} %",
            )
            for class_, name, shares in zip(("predicted", "truth"), ("predicted", "truth"), columns)
        ]
        groups.append(
            element("div", element("div", bars, class_="bars"), element("span", _length(length)), class_="column")
        )
    keys = [element("li", element("i", class_=f"swatch {name}"), name) for name in ("predicted", "truth")]
    return element(
        "figure",
        element("ul", keys, class_="legend"),
        element("div", groups, class_="columns histogram"),
        element("figcaption", f"share of captions by their number of words; the tallest is {100 * highest:.0f} %"),
    )


def _length(words: int) -> str:
    return f"{words}+" if words == LONGEST else str(words)


def _shares(lengths: Counter[int]) -> list[float]:
    """Share of captions of 0, 1, ... words, the last also of more; all 0 without captions."""
    counts = [0] * (LONGEST + 1)
    for length, number in lengths.items():
        counts[min(length, LONGEST)] += number
    return [number / max(lengths.total(), 1) for number in counts]


def _gaps(predicted: CaptionUse, truth: CaptionUse) -> Html:
    rows = usage_gaps(predicted, truth) if predicted.num_captions and truth.num_captions else []
    more = [row for row in rows[:NUM_WORDS] if row[1] > row[2]]
    less = [row for row in rows[::-1][:NUM_WORDS] if row[1] < row[2]]
    largest = max((abs(row[1] - row[2]) for row in more + less), default=0.0)
    return element(
        "figure",
        _gap_list("more often", "predicted", more, largest),
        _gap_list("less often", "truth", less, largest),
        element("figcaption", "occurrences among 1,000 words"),
        class_="pair",
    )


def _gap_list(title: str, class_: str, rows: list[tuple[str, float, float]], largest: float) -> Html:
    lines = [
        [
            element("span", word, class_="word"),
            element(
                "span",
                element("span", class_=f"length {class_}", style=f"width:{100 * abs(own - true) / largest:.1f}%"),
                class_="track",
            ),
            figure(own, 1),
            figure(true, 1),
        ]
        for word, own, true in rows
    ]
    if not lines:
        return element("div", element("h4", title), element("p", "No such word.", class_="undefined"))
    head = [title, "", element("span", "predicted"), element("span", "truth")]
    return table(head, lines, class_="gaps")


def _repeated(predicted: CaptionUse, truth: CaptionUse) -> Html:
    rows = [
        [
            element("q", caption) if caption else element("i", "empty caption"),
            count(number),
            percent(number / predicted.num_captions, 1),
            count(truth.captions[caption]),
        ]
        for caption, number in predicted.captions.most_common(NUM_CAPTIONS)
    ]
    if not rows:
        return element("p", "No captions.", class_="undefined")
    return table(["caption", "times", "of all predicted", "times in the truth"], rows, class_="plain captions")
