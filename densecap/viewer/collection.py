"""One or two files of predictions, the truth and the photos, put together by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from densecap.data.images import ImageError
from densecap.errors import UserError
from densecap.evaluation.predictions import Predictions
from densecap.viewer.finding import shortest_distinct, titles
from densecap.viewer.frames import Frames
from densecap.viewer.matching import match
from densecap.viewer.photos import Photo, PhotoFinder, size_of
from densecap.viewer.reading import facts, read_entries, shown_regions, size_by_boxes
from densecap.viewer.records import Entry, ShownFile, ShownImage
from densecap.viewer.truths import KnownTruth, Truths

#: How many files are shown side by side at most.
MOST_FILES = 2


@dataclass
class Collection:
    """Everything a page shows. ``has_truth``: there is a truth to be laid over the predictions."""

    files: list[ShownFile]
    images: list[ShownImage]
    has_truth: bool


@dataclass(frozen=True)
class _Source:
    predictions: Predictions
    entries: list[Entry]
    truths: list[KnownTruth | None]
    photos: list[Photo | None]


def collect(
    paths: Sequence[Path], images: Path | None = None, truths: Truths | None = None, frames: Frames | None = None
) -> Collection:
    """Read one or two files; ``images`` is the folder of the photos, None where the files' own paths hold.

    Pictures of videos are shown where ``frames`` takes them out.

    Errors: UserError for a file that cannot be read or has no images, two files or a truth without a common image, or
    another number of files.
    """
    if not 1 <= len(paths) <= MOST_FILES:
        raise UserError(f"the viewer shows one file of predictions, or two side by side, not {len(paths)}")
    read = [read_entries(path) for path in paths]
    known = _truths(read, truths)
    sources = [
        _Source(predictions, entries, truth, _photos(entries, PhotoFinder(path.parent, images), frames))
        for path, (predictions, entries), truth in zip(paths, read, known)
    ]
    rows = _rows(sources)
    heads = [next(source.entries[place] for source, place in zip(sources, row) if place is not None) for row in rows]
    ids, names = _ids(heads), _names(heads)
    shown = [_image(*own, sources) for own in zip(ids, names, rows)]
    files = [
        ShownFile(title, facts(source.predictions), source.predictions.whole_images)
        for title, source in zip(_titles(paths), sources)
    ]
    return Collection(files, shown, truths is not None)


def _photos(entries: Sequence[Entry], finder: PhotoFinder, frames: Frames | None) -> list[Photo | None]:
    """Where the entries' own photos are."""
    taken = [None] * len(entries) if frames is None else frames.photos(entries, finder)
    return [
        own if entry.frame is not None else finder.find(entry.image.file, entry.image.image_id)
        for entry, own in zip(entries, taken)
    ]


def _truths(read: Sequence[tuple[Predictions, list[Entry]]], truths: Truths | None) -> list[list[KnownTruth | None]]:
    """The truth by file; one of two files may be about other images."""
    if truths is None:
        return [[None] * len(entries) for _, entries in read]
    found: list[list[KnownTruth | None]] = []
    mistakes: list[UserError] = []
    for predictions, entries in read:
        try:
            found.append(truths.of(predictions, entries))
        except UserError as error:
            mistakes.append(error)
            found.append([None] * len(entries))
    if len(mistakes) == len(read):
        raise mistakes[0]
    return found


def _rows(sources: Sequence[_Source]) -> list[list[int | None]]:
    """For each image its place in every file, in the order of the first file; what only the second has comes last."""
    first = sources[0]
    if len(sources) == 1:
        return [[place] for place in range(len(first.entries))]
    second = sources[1]
    partners = match(first.entries, second.entries)
    if all(partner is None for partner in partners):
        ours, theirs = first.entries[0].image.name, second.entries[0].image.name
        raise UserError(
            f"{first.predictions.path} and {second.predictions.path} have no image in common: "
            f"one has {ours}, the other {theirs}"
        )
    back = {partner: place for place, partner in enumerate(partners) if partner is not None}
    rows: list[list[int | None]] = [[place, back.get(place)] for place in range(len(first.entries))]
    return rows + [[None, place] for place, partner in enumerate(partners) if partner is None]


def _image(image_id: str, name: str, row: Sequence[int | None], sources: Sequence[_Source]) -> ShownImage:
    present = [(source, place) for source, place in zip(sources, row) if place is not None]
    truth = next((source.truths[place] for source, place in present if source.truths[place] is not None), None)
    own = (source.photos[place] for source, place in present if source.photos[place] is not None)
    photo = next(own, truth.photo if truth else None)
    width, height = _size(present, truth, photo)
    known = truth.regions(width, height) if truth else None
    regions = [
        None if place is None else shown_regions(source.entries[place], source.predictions, width, height)
        for source, place in zip(sources, row)
    ]
    return ShownImage(image_id, name, width, height, photo, regions, known)


def _size(present: Sequence[tuple[_Source, int]], truth: KnownTruth | None, photo: Photo | None) -> tuple[float, float]:
    """Of the original, as far as anything says it."""
    entries = [source.entries[place] for source, place in present] + ([truth.entry] if truth else [])
    for entry in entries:
        if entry.image.width and entry.image.height:
            return entry.image.width, entry.image.height
    if photo is not None:
        try:
            return size_of(photo)
        except ImageError:
            pass
    source, place = present[0]
    return size_by_boxes(source.entries[place], source.predictions)


def _ids(entries: Sequence[Entry]) -> list[str]:
    """A distinct name for each image, by which addresses know it: its id, or its file's name."""
    wanted = [entry.image.image_id or Path(entry.image.name).stem or "image" for entry in entries]
    taken: dict[str, int] = {}
    names = []
    for name in wanted:
        taken[name] = taken.get(name, 0) + 1
        names.append(name if taken[name] == 1 else f"{name}~{taken[name]}")
    return names


def _names(entries: Sequence[Entry]) -> list[str]:
    """What is read on the page; folders only as far as they tell two photos apart."""
    named = [entry.image.file or str(entry.image.image_id) for entry in entries]
    short = shortest_distinct(list(dict.fromkeys(named)))
    known = dict(zip(dict.fromkeys(named), short))
    return [
        known[name] + ("" if entry.frame is None else f" · frame {entry.frame}") for name, entry in zip(named, entries)
    ]


def _titles(paths: Sequence[Path]) -> list[str]:
    """Of two files that are one and the same, the second is called so."""
    found = titles(paths)
    return [found[0], f"{found[1]} (2)"] if len(found) == 2 and found[0] == found[1] else found
