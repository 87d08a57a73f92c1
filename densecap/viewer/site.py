"""The files of the page by name, each made when it is asked for: what a server hands out and an export writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from densecap.data.images import ImageError
from densecap.viewer.collection import Collection
from densecap.viewer.data_files import chunk_name, chunk_script, index_script, num_chunks
from densecap.viewer.photos import WEB_FORMATS, Photo, thumbnail, web_picture
from densecap.web import THEME

#: The files of the page itself, in the order in which it needs them.
PAGE = (
    "index.html",
    "icon.svg",
    "viewer.css",
    "data.js",
    "search.js",
    "state.js",
    "images.js",
    "stage.js",
    "captions.js",
    "finding.js",
    "keys.js",
    "viewer.js",
)

#: Thumbnails that a server keeps, some kilobytes each.
KEPT_THUMBNAILS = 2000

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_PICTURE = re.compile(r"(images|thumbnails)/(\d{6,9})\.(?:jpg|png|webp|gif)", re.ASCII)


@dataclass(frozen=True)
class Resource:
    """A file: its bytes and its media type."""

    data: bytes
    media_type: str


class Site:
    """Files of a page over a collection. No name ever becomes a path: what is not listed here does not exist.

    ``longest`` is the most pixels that a side of a photo may have, None for any number.
    """

    def __init__(self, collection: Collection, longest: int | None = None) -> None:
        self.collection, self.longest = collection, longest
        self._thumbnail = lru_cache(KEPT_THUMBNAILS)(self._make_thumbnail)
        self._index: Resource | None = None

    def read(self, name: str) -> Resource | None:
        """A file by its name, without a leading slash; None when there is none, or its photo cannot be read."""
        if name in PAGE or name == "theme.css":
            return page_file(name)
        if name == "data/index.js":
            return self._index_of_what_is_there()
        if match := re.fullmatch(r"data/chunk-(\d{4,9})\.js", name, re.ASCII):
            return self._chunk(name, int(match[1]))
        if match := _PICTURE.fullmatch(name):
            return self._picture(match[1], int(match[2]))
        return None

    def chunks(self) -> Iterator[tuple[str, Resource]]:
        """All data but the index."""
        for number in range(num_chunks(self.collection)):
            yield chunk_name(number), Resource(chunk_script(self.collection, number), "text/javascript")

    def _chunk(self, name: str, number: int) -> Resource | None:
        if number >= num_chunks(self.collection) or name != chunk_name(number):
            return None
        return Resource(chunk_script(self.collection, number), "text/javascript")

    def _index_of_what_is_there(self) -> Resource:
        """Endings are guessed from the names of photos: those of a server say their type anyway."""
        if self._index is None:
            photos = [image.photo for image in self.collection.images]
            endings = [None if photo is None else ".jpg" for photo in photos]
            there = [photo is not None for photo in photos]
            self._index = Resource(index_script(self.collection, endings, there), "text/javascript")
        return self._index

    def _picture(self, kind: str, place: int) -> Resource | None:
        photo = self.collection.images[place].photo if place < len(self.collection.images) else None
        if photo is None:
            return None
        try:
            return self._thumbnail(place) if kind == "thumbnails" else self._full(photo)
        except ImageError:
            return None

    def _full(self, photo: Photo) -> Resource:
        data, _, media_type = web_picture(photo, self.longest)
        return Resource(data, media_type)

    def _make_thumbnail(self, place: int) -> Resource:
        photo = self.collection.images[place].photo
        assert photo is not None
        return Resource(thumbnail(photo), WEB_FORMATS["JPEG"][1])


def page_file(name: str) -> Resource:
    """One of ``PAGE``, or the style sheet of all pages."""
    source = THEME if name == "theme.css" else files("densecap.viewer").joinpath("static", name)
    return Resource(source.read_bytes(), _TYPES["." + name.rpartition(".")[2]] + "; charset=utf-8")
