"""Visual Genome's directory layout in miniature: real JPEG files, annotations of version 1.0 or 1.2, splits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

PHRASES = ("A red car.", "the dog's left ear", "two men, walking", "45° sign", "a café", "blue sky")


def write_visual_genome(
    root: Path, version: str = "1.2", num_images: int = 12, size: tuple[int, int] = (60, 80), num_regions: int = 3
) -> list[dict[str, Any]]:
    """Write ``num_images`` images of (height, width) ``size`` with ``num_regions`` regions each; returns the entries.

    Image ids are 1, 2, ...; odd ones lie in VG_100K, even ones in VG_100K_2. Of twelve images the first eight are for
    training, the next two for validation, the last two for the test, and so on in proportion.
    """
    root.mkdir(parents=True, exist_ok=True)
    for folder in ("VG_100K", "VG_100K_2"):
        (root / folder).mkdir(exist_ok=True)
    entries = [_entry(image_id, version, num_regions, size) for image_id in range(1, num_images + 1)]
    for image_id in range(1, num_images + 1):
        write_picture(image_path(root, image_id), size, image_id)
    key = "image_id" if version == "1.2" else "id"
    sizes = [{key: i, "width": size[1], "height": size[0], "url": None} for i in range(1, num_images + 1)]
    write_json(root / "region_descriptions.json", entries)
    write_json(root / "image_data.json", sizes)
    write_json(root / "splits.json", split_lists(num_images))
    return entries


def image_path(root: Path, image_id: int) -> Path:
    return root / ("VG_100K" if image_id % 2 else "VG_100K_2") / f"{image_id}.jpg"


def split_lists(num_images: int) -> dict[str, list[int]]:
    ids, held_out = list(range(1, num_images + 1)), max(1, num_images // 6)
    return {"train": ids[: -2 * held_out], "val": ids[-2 * held_out : -held_out], "test": ids[-held_out:]}


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def write_picture(path: Path, size: tuple[int, int], seed: int) -> None:
    """A smooth JPEG picture that differs from one ``seed`` to the next."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC).save(path, quality=90)


def _entry(image_id: int, version: str, num_regions: int, size: tuple[int, int]) -> dict[str, Any]:
    """One element of region_descriptions.json; the versions differ in the keys of ids."""
    regions = []
    for index in range(num_regions):
        box = {"x": 5 * index, "y": 3 * index, "width": size[1] // 2, "height": size[0] // 2}
        phrase = PHRASES[(image_id + index) % len(PHRASES)]
        number = 100 * image_id + index
        ids = {"region_id": number, "image_id": image_id} if version == "1.2" else {"id": number, "image": image_id}
        regions.append({**ids, **box, "phrase": phrase})
    return {("image_id" if version == "1.2" else "id"): image_id, "regions": regions}
