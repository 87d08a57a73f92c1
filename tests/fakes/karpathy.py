"""Karpathy's dataset_*.json in miniature, for the photos of the other fakes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.fakes import coco, flickr8k
from tests.fakes.visual_genome import write_json

COCO_SPLITS = {"train": coco.TRAIN_2014, "restval": [42, 73], "val": [74], "test": [133]}


def write_coco_json(folder: Path) -> Path:
    """dataset_coco.json for the images of ``write_coco``, whichever year they are laid out for."""
    rows = []
    for split, ids in COCO_SPLITS.items():
        part = "train" if split == "train" else "val"
        for image_id in ids:
            name = coco.file_name(image_id, part, "2014")
            rows.append(
                {**_row(name, split, coco.captions_of(image_id)), "cocoid": image_id, "filepath": f"{part}2014"}
            )
    return _write(folder / "dataset_coco.json", "coco", rows)


def write_flickr_json(folder: Path, dataset: str, splits: Mapping[str, Sequence[str]]) -> Path:
    """dataset_flickr8k.json or dataset_flickr30k.json: split -> ids."""
    rows = [
        _row(f"{image_id}.jpg", split, flickr8k.captions_of(number))
        for split, ids in splits.items()
        for number, image_id in enumerate(ids)
    ]
    return _write(folder / f"dataset_{dataset}.json", dataset, rows)


def _row(filename: str, split: str, captions: Sequence[str]) -> dict[str, Any]:
    sentences = [{"raw": text, "tokens": re.findall(r"\w+", text.lower())} for text in captions]
    return {"filename": filename, "split": split, "sentences": sentences}


def _write(path: Path, dataset: str, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    numbered = [{**row, "imgid": number} for number, row in enumerate(rows)]
    write_json(path, {"dataset": dataset, "images": numbered})
    return path
