"""COCO's directory layout in miniature, of 2014 or of 2017: the same photos in other folders under other names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes.visual_genome import write_json, write_picture

#: Ids of train2014 and val2014; train2017 has the first eight of all, val2017 the last.
TRAIN_2014, VAL_2014 = [9, 25, 30, 34, 36], [42, 73, 74, 133]
TEST_2014 = [16, 191]


def captions_of(image_id: int) -> list[str]:
    """Five sentences, six for one of the images."""
    texts = [f"A plate of food number {row} on a table." for row in range(6 if image_id == 25 else 5)]
    return [texts[0].replace("food", "fruit" if image_id % 2 else "bread"), *texts[1:]]


def file_name(image_id: int, split: str, year: str) -> str:
    return f"COCO_{split}{year}_{image_id:012}.jpg" if year == "2014" else f"{image_id:012}.jpg"


def members(year: str) -> dict[str, list[int]]:
    everything = [*TRAIN_2014, *VAL_2014]
    return (
        {"train": TRAIN_2014, "val": VAL_2014} if year == "2014" else {"train": everything[:8], "val": everything[8:]}
    )


def write_coco(root: Path, year: str = "2014", images: bool = True) -> dict[str, list[int]]:
    """Annotations and photos; returns the ids of train and val."""
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    for split, ids in members(year).items():
        write_json(root / "annotations" / f"captions_{split}{year}.json", annotations(ids, split, year))
        if images:
            write_photos(root / f"{split}{year}", [file_name(image_id, split, year) for image_id in ids])
    test = [{"id": image_id, "file_name": file_name(image_id, "test", year)} for image_id in TEST_2014]
    write_json(root / "annotations" / f"image_info_test{year}.json", {"images": test})
    return members(year)


def write_photos(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        write_picture(folder / name, (24, 32), seed)


def annotations(ids: list[int], split: str, year: str) -> dict[str, Any]:
    """The content of captions_<split><year>.json."""
    images = [
        {"id": image_id, "file_name": file_name(image_id, split, year), "height": 24, "width": 32} for image_id in ids
    ]
    captions = [
        {"image_id": image_id, "id": 100 * image_id + row, "caption": text}
        for image_id in ids
        for row, text in enumerate(captions_of(image_id))
    ]
    return {"info": {"year": int(year)}, "licenses": [], "images": images, "annotations": captions}
