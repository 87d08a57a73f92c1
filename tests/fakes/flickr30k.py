"""Flickr30K's directory layout in miniature: photos, captions in either form, and the published lists of splits."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.flickr8k import captions_of
from tests.fakes.visual_genome import write_picture

#: The id of an image, by its number; 8 images.
IDS = [str(1000092795 + number) for number in range(8)]
KARPATHY = {"train": IDS[:4], "val": IDS[4:5], "test": IDS[5:7]}  # the last image is in no split
ENTITIES = {"train": IDS[3:], "val": IDS[:1], "test": IDS[1:3]}


def write_flickr30k(root: Path, table: bool = False) -> list[str]:
    """A root with ``results_20130124.token``, or with ``results.csv``, of which one line lacks its second bar."""
    photos = root / "flickr30k-images"
    photos.mkdir(parents=True)
    for number, image_id in enumerate(IDS):
        write_picture(photos / f"{image_id}.jpg", (24, 32), number)
    rows = [(f"{name}.jpg", row, text) for n, name in enumerate(IDS) for row, text in enumerate(captions_of(n))]
    if table:
        lines = ["image_name| comment_number| comment", *(f"{name}| {row}| {text}" for name, row, text in rows)]
        name, row, text = rows[4]
        lines[5] = f"{name}| {row}   {text}"
        (root / "results.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        lines = [f"{name}#{row}\t{text}" for name, row, text in rows]
        (root / "results_20130124.token").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_lists(root)
    return IDS


def write_lists(root: Path) -> None:
    """Karpathy's list as lines, Flickr30K Entities' as three files and its list of unrelated captions."""
    lines = [f"{split}/{name}.jpg {name}\n" for split, names in KARPATHY.items() for name in names]
    (root / "karpathy_flickr30k_images.txt").write_text("".join(lines), encoding="utf-8")
    for split, names in ENTITIES.items():
        (root / f"{split}.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    unrelated = f"# format: <imageID> <sentence number>\n{IDS[0]} 5\n{IDS[3]} 1\n{IDS[5]} 2"
    (root / "UNRELATED_CAPTIONS").write_text(unrelated, encoding="utf-8")
