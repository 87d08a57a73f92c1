"""The data of the page, as scripts: a page opened from a disk may load scripts, and nothing else.

``data/index.js`` calls ``densecapData.index`` with

    version        int
    files[]        object   title, facts [[name, value]], whole (captions of whole images, without boxes)
    truth          bool     whether images may have a truth
    chunk          int      images a chunk
    scores         [a, b]   least and greatest score; null where there are none
    most           int      most regions that a file has in an image
    images[]       array    id, name, width, height, ending of the photo in images/ or 0, whether it has a thumbnail 0/1

and ``data/chunk-NNNN.js`` calls ``densecapData.chunk`` with its number and, for each of its images, [regions of each
file or 0, truth or 0]. A region is [[x1, y1, x2, y2] in original pixels or 0 for the whole image, score or null,
caption, further captions if any].
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from densecap.viewer.collection import Collection
from densecap.viewer.records import ShownImage, ShownRegion

DATA_VERSION = 1

#: Images whose regions are loaded together.
CHUNK = 100


def index_script(collection: Collection, pictures: Sequence[str | None], thumbnails: Sequence[bool]) -> bytes:
    """``data/index.js``; ``pictures`` are the endings of the photos, None for those that are not there."""
    scores = [region.score for region in _all_regions(collection) if region.score is not None]
    counts = [len(regions) for image in collection.images for regions in image.regions if regions is not None]
    content = {
        "version": DATA_VERSION,
        "files": [{"title": file.title, "facts": file.facts, "whole": file.whole_images} for file in collection.files],
        "truth": collection.has_truth,
        "chunk": CHUNK,
        "scores": [min(scores), max(scores)] if scores else None,
        "most": max(counts, default=0),
        "images": [_row(*own) for own in zip(collection.images, pictures, thumbnails)],
    }
    return _script("index", content)


def num_chunks(collection: Collection) -> int:
    return -(-len(collection.images) // CHUNK)


def chunk_name(number: int) -> str:
    return f"data/chunk-{number:04d}.js"


def chunk_script(collection: Collection, number: int) -> bytes:
    """The script ``chunk_name(number)``."""
    images = collection.images[number * CHUNK : (number + 1) * CHUNK]
    return _script("chunk", number, [_regions(image) for image in images])


def _all_regions(collection: Collection) -> list[ShownRegion]:
    return [region for image in collection.images for regions in image.regions for region in regions or ()]


def _row(image: ShownImage, picture: str | None, has_thumbnail: bool) -> list[Any]:
    size = [_short(image.width), _short(image.height)]
    return [image.image_id, image.name, *size, picture or 0, int(has_thumbnail)]


def _regions(image: ShownImage) -> list[Any]:
    lists = [*image.regions, image.truth]
    return [0 if regions is None else [_region(region) for region in regions] for regions in lists]


def _region(region: ShownRegion) -> list[Any]:
    box = 0 if region.box is None else [_short(value) for value in region.box]
    row = [box, region.score, region.caption]
    return [*row, list(region.others)] if region.others else row


def _short(value: float) -> float | int:
    return int(value) if value == int(value) else round(value, 1)


def _script(function: str, *arguments: Any) -> bytes:
    """A call with JSON that stays JSON wherever it stands: nothing outside ASCII, no tag."""
    values = (json.dumps(value, separators=(",", ":"), allow_nan=False) for value in arguments)
    text = ",".join(values).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f"densecapData.{function}({text});\n".encode("ascii")
