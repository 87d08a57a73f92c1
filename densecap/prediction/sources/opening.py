"""From what a person named to pictures: opening each thing, and an id for every picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from densecap.errors import UserError
from densecap.prediction.sources.addresses import shown
from densecap.prediction.sources.found import SPLIT, each_once, find
from densecap.prediction.sources.moving import Moving
from densecap.prediction.sources.named import Named
from densecap.prediction.sources.naming import apart_from_frames, image_ids, own_ids
from densecap.prediction.sources.remote import RemotePicture
from densecap.prediction.sources.screen import Screen
from densecap.prediction.sources.settings import DEFAULTS, SourceSettings
from densecap.prediction.sources.shard import WHOLE, Shard
from densecap.prediction.sources.single import Broken, PictureFile, Single, SplitPicture
from densecap.prediction.sources.standard_input import read_standard_input
from densecap.prediction.sources.streams import open_stream, open_web
from densecap.prediction.sources.tar_shards import open_tar
from densecap.prediction.sources.unread import Source, Unread
from densecap.prediction.sources.video_file import Video

#: Opens a split of a data set by both names: image id and path of each of its pictures.
OpenSplit = Callable[[str, str], Iterable[tuple[str, Path]]]

Part = Single | Moving


def open_source(
    names: str | Path | Iterable[str | Path],
    settings: SourceSettings = DEFAULTS,
    open_split: OpenSplit | None = None,
    shard: Shard = WHOLE,
) -> Source:
    """The pictures that are meant by ``names``, as ``found.find`` explains them, or the ``shard`` of them.

    Errors: UserError for what means nothing, cannot be opened, or needs ``open_split`` where there is none.
    """
    return Parts([part for named in find(names) for part in _open(named, settings, open_split)], shard)


class Parts:
    """Single pictures, videos and streams one after the other, every picture with an id of its own.

    Of a ``shard`` only its own are given; their ids are those that they have among all.
    """

    def __init__(self, parts: Sequence[Part], shard: Shard = WHOLE) -> None:
        self.parts, self.shard = parts, shard

    @property
    def total(self) -> int | None:
        totals = [part.total for part in self.shard.of(self.parts)]
        return None if None in totals else sum(total for total in totals if total is not None)

    def __iter__(self) -> Iterator[Unread]:
        for image_id, part in self.shard.of(list(zip(self._ids, self.parts))):
            yield from part.unread(image_id)

    @cached_property
    def _ids(self) -> list[str]:
        own = own_ids([part.own_id for part in self.parts], [getattr(part, "data", "") for part in self.parts])
        others = [part.path for part, given in zip(self.parts, own) if given is None]
        made = iter(image_ids(others, [given for given in own if given is not None]))
        ids = [next(made) if given is None else given for given in own]
        return apart_from_frames(ids, [part.has_frames for part in self.parts])


def _open(named: Named, settings: SourceSettings, open_split: OpenSplit | None) -> list[Part]:
    try:
        return _opened(named, settings, open_split)
    except UserError as error:
        if named.typed:
            raise
        return [Broken(shown(named.name), str(error))]


def _opened(named: Named, settings: SourceSettings, open_split: OpenSplit | None) -> list[Part]:
    if named.kind == "picture":
        return [PictureFile(named.name)]
    if named.kind == "video":
        return [Video(named.name, settings)]
    if named.kind == "web":
        return [open_web(named, settings)]
    if named.kind == "remote":
        return [RemotePicture(named.name)]
    if named.kind == "tar":
        return list(open_tar(named.name))
    if named.kind == "stream":
        return [open_stream(named.name, settings)]
    if named.kind == "screen":
        return [Screen(named.name, settings)]
    if named.kind == "stdin":
        found = read_standard_input()
        return [found] if isinstance(found, Single) else _each(found, settings, open_split)
    if named.kind == "split":
        return _open_split(named.name, open_split)
    raise UserError("source=webcam is the browser's camera on a page of its own: give it alone, to the predict command")


def _each(found: Iterable[Named], settings: SourceSettings, open_split: OpenSplit | None) -> list[Part]:
    return [part for named in each_once(found) for part in _open(named, settings, open_split)]


def _open_split(name: str, open_split: OpenSplit | None) -> list[Part]:
    match = SPLIT.fullmatch(name)
    if open_split is None or match is None:
        raise UserError(f"source={name} is a split of a data set, which only the predict command looks up")
    data, split = match.groups()
    found: list[Part] = [SplitPicture(str(path), image_id, data) for image_id, path in open_split(data, split)]
    if not found:
        raise UserError(f"source={name} is empty: that data set has no images in that split")
    return found
