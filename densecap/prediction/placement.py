"""Where the label of a box goes: inside the picture, off the other labels, off small boxes."""

from __future__ import annotations

from collections.abc import Sequence

#: (left, top, right, bottom) in pixels of the picture that is drawn on.
Rectangle = tuple[float, float, float, float]

#: Cost of lying wholly on another label, of hiding the whole of a box, and of the last of the preferred places.
_ON_LABEL, _ON_BOX, _LAST = 20.0, 1.0, 0.3


def place_label(
    box: Rectangle,
    size: tuple[float, float],
    picture: tuple[int, int],
    boxes: Sequence[Rectangle],
    labels: Sequence[Rectangle],
) -> Rectangle:
    """The place of a label of ``size`` (width, height) for ``box``.

    Places that touch the box are tried first (above, inside, below, beside it); when each of them lies on one of the
    ``labels`` already placed, places all over the picture are, nearer ones first. The result lies inside the picture
    (width, height) whenever the label fits it.
    """
    near = [_inside(corner, size, picture) for corner in _corners(box, size)]
    costs = [_cost(place, boxes, labels) + _LAST * rank / len(near) for rank, place in enumerate(near)]
    if min(costs) < _ON_LABEL * 0.02:
        return near[costs.index(min(costs))]
    far = [_inside(corner, size, picture) for corner in _grid(size, picture)]
    diagonal = sum(picture)
    costs += [_cost(place, boxes, labels) + _LAST + _distance(place, box) / diagonal for place in far]
    return [*near, *far][costs.index(min(costs))]


def _corners(box: Rectangle, size: tuple[float, float]) -> list[tuple[float, float]]:
    """Upper left corners of the places that touch the box, best first."""
    (left, top, right, bottom), (width, height) = box, size
    return [
        (left, top - height),
        (right - width, top - height),
        (left, bottom),
        (right - width, bottom),
        (left, top),
        (right - width, top),
        (left, bottom - height),
        (right - width, bottom - height),
        (right, top),
        (left - width, top),
        (right, bottom - height),
        (left - width, bottom - height),
    ]


def _grid(size: tuple[float, float], picture: tuple[int, int], steps: int = 12) -> list[tuple[float, float]]:
    spare_x, spare_y = max(picture[0] - size[0], 0), max(picture[1] - size[1], 0)
    return [(spare_x * i / steps, spare_y * j / steps) for j in range(steps + 1) for i in range(steps + 1)]


def _inside(corner: tuple[float, float], size: tuple[float, float], picture: tuple[int, int]) -> Rectangle:
    left = max(0.0, min(corner[0], picture[0] - size[0]))
    top = max(0.0, min(corner[1], picture[1] - size[1]))
    return left, top, left + size[0], top + size[1]


def _cost(place: Rectangle, boxes: Sequence[Rectangle], labels: Sequence[Rectangle]) -> float:
    """How much of the label lies on other labels, and how much of the box it hides most."""
    on_labels = sum(overlap_area(place, label) for label in labels) / max(_area(place), 1.0)
    hidden = max((overlap_area(place, box) / max(_area(box), 1.0) for box in boxes), default=0.0)
    return _ON_LABEL * on_labels + _ON_BOX * min(hidden, 1.0)


def overlap_area(first: Rectangle, second: Rectangle) -> float:
    """Square pixels that two rectangles share."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0.0) * max(height, 0.0)


def _area(box: Rectangle) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def _distance(place: Rectangle, box: Rectangle) -> float:
    """Pixels between two rectangles, 0 when they touch."""
    across = max(place[0] - box[2], box[0] - place[2], 0.0)
    down = max(place[1] - box[3], box[1] - place[3], 0.0)
    return across + down
