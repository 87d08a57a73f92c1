"""A miniature of every data set that configs/data/ knows, with the options that say where it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.coco import write_coco
from tests.fakes.flickr8k import write_flickr8k
from tests.fakes.flickr30k import write_flickr30k
from tests.fakes.iapr_tc12 import write_iapr_tc12
from tests.fakes.karpathy import write_coco_json
from tests.fakes.visual_genome import write_picture, write_visual_genome


def _csv(folder: Path) -> None:
    for seed, name in enumerate("abc"):
        write_picture(folder / f"{name}.jpg", (48, 64), seed)
    rows = ["a.jpg,a cat,5,5,30,30,train", "b.jpg,a red car,9,3,40,20,train", "c.jpg,a cat,5,5,30,30,val"]
    (folder / "captions.csv").write_text("\n".join(["image,caption,x,y,width,height,split", *rows]), encoding="utf-8")


def _karpathy(folder: Path) -> None:
    write_coco(folder.parent / "coco")
    write_coco_json(folder)


MAKERS: dict[str, Callable[[Path], object]] = {
    "coco": write_coco,
    "csv": _csv,
    "flickr30k": write_flickr30k,
    "flickr8k": write_flickr8k,
    "iapr_tc12": write_iapr_tc12,
    "karpathy": _karpathy,
    "shapes": lambda folder: None,  # made by its reader
    "visual_genome": write_visual_genome,
}

#: What else the miniature needs: shares of the true layout that it leaves out, and numbers.
OPTIONS = {
    "coco": ["data.split_list=official"],
    "csv": ["data.root=data/csv"],
    "iapr_tc12": ["data.num_val=1"],
    "shapes": ["data.reader.counts={train: 4, val: 2, test: 2}"],
}


def write_data_set(name: str, data: Path) -> list[str]:
    """Write the miniature to its place below the folder ``data``; returns the options of ``train`` for it."""
    if name not in MAKERS:
        pytest.fail(
            f"no miniature of data={name} is known: add a generator to tests/fakes/ and name it in "
            "tests/configs/data_sets.py"
        )
    (data / name).mkdir(parents=True, exist_ok=name not in ("flickr8k", "flickr30k"))
    MAKERS[name](data / name)
    return [*OPTIONS.get(name, []), "data.min_token_count=1", "data.num_workers=0"]
