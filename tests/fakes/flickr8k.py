"""Flickr8K's directory layout in miniature, with the flaws of the real one."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.visual_genome import write_picture

LISTS = ("Flickr_8k.trainImages.txt", "Flickr_8k.devImages.txt", "Flickr_8k.testImages.txt")
IMAGELESS = "2258277193_586949ec62.jpg.1"


def photo_ids(count: int) -> list[str]:
    return [f"{1000268201 + number}_{number:010x}" for number in range(count)]


def captions_of(number: int) -> list[str]:
    """Five sentences with words of their own and words of all."""
    things = ("dog", "child", "man in a red shirt", "boy", "woman")
    return [f"A {things[(number + row) % 5]} runs through the grass , again ." for row in range(5)]


def write_flickr8k(root: Path, counts: tuple[int, int, int] = (4, 2, 2), text: str = "Flickr8k_text") -> list[str]:
    """Photos and captions of so many images for training, validation and test, and one in no list; returns the ids.

    As in the real token file there are captions of a photo that does not exist.
    """
    photos, texts = root / "Flicker8k_Dataset", root / text
    photos.mkdir(parents=True)
    texts.mkdir(parents=True, exist_ok=True)
    ids = photo_ids(sum(counts) + 1)
    for number, image_id in enumerate(ids):
        write_picture(photos / f"{image_id}.jpg", (24, 32), number)
    names = [f"{image_id}.jpg" for image_id in ids]
    lines = [f"{name}#{row}\t{caption}" for n, name in enumerate(names) for row, caption in enumerate(captions_of(n))]
    lines += [f"{IMAGELESS}#{row}\tA man and a dog ." for row in range(5)]
    (texts / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    start = 0
    for name, count in zip(LISTS, counts):
        (texts / name).write_text("".join(f"{photo}\n" for photo in names[start : start + count]), encoding="utf-8")
        start += count
    return ids
