"""A prepared file with known boxes and phrases, and the same predictions in every format that ``eval`` reads."""

import csv
import json
from pathlib import Path

import numpy as np
import torch

from densecap.data.hdf5_writer import RegionFileContents, write_region_file
from densecap.data.jpeg_codec import encode_as_jpeg
from densecap.evaluation.truth import Truth
from densecap.prediction.writers import CSV_COLUMNS

#: (height, width) of the original images; they are stored at a quarter of it.
SIZES = ((480, 640), (600, 400), (300, 500), (960, 1280), (333, 500), (500, 375))
THINGS = ("a red car", "two men walking", "the dog has a blue collar", "a white cloud in the sky", "green grass")


def write_split(path: Path, per_split: int = 6) -> Path:
    """Images 1, 2, ... named as COCO names them: ``per_split`` for training, then as many for test; five regions each.

    The boxes of an image lie apart, each in a row of its own, so that none is merged.
    """
    count = 2 * per_split
    sizes = np.array([SIZES[index % len(SIZES)] for index in range(count)])
    boxes = np.concatenate([_boxes(*size, np.random.default_rng(index)) for index, size in enumerate(sizes.tolist())])
    jpegs = [encode_as_jpeg(torch.full((3, *size), 90, dtype=torch.uint8), 80) for size in (sizes // 4).tolist()]
    captions = [f"{THINGS[row % 5]} number {row}" for row in range(5 * count)]
    contents = RegionFileContents(
        name="fake",
        ids=[str(number) for number in range(1, count + 1)],
        files=[f"VG_100K/{number:012}.jpg" for number in range(1, count + 1)],
        splits=np.repeat([0, 2], per_split),
        offsets=np.cumsum([0, *map(len, jpegs)]),
        sizes=sizes // 4,
        original_sizes=sizes,
        first_region=np.arange(0, 5 * count + 1, 5),
        boxes=boxes,
        tokens=np.ones((5 * count, 4)),
        lengths=np.full(5 * count, 4),
        captions=captions,
        words=["red", "car", "dog"],
        counts=np.ones(3),
    )
    write_region_file(path, contents, jpegs)
    return path


def _boxes(height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    """Five boxes, one below the other, of random widths."""
    edges = np.linspace(0, height, 6)
    left = generator.uniform(0, 0.4, 5) * width
    right = generator.uniform(0.6, 1.0, 5) * width
    return np.stack((left, edges[:-1] + 2, right, edges[1:] - 2), axis=1)


def predictions_of(truth: Truth, spoil: float = 0.0) -> list[dict]:
    """The truth as predictions, scores falling; ``spoil`` moves boxes by so large a share of their sides at most and
    takes the phrase of the next region for every third."""
    generator = np.random.default_rng(1)
    images = []
    for image in truth.images:
        sides = image.boxes[:, 2:] - image.boxes[:, :2]
        shift = np.tile(generator.uniform(-spoil, spoil, sides.shape) * sides, 2)
        limits = [image.width, image.height, image.width, image.height]
        boxes = (image.boxes + shift).clip(0, limits).round(2)
        captions = [image.captions[(row + (spoil > 0 and row % 3 == 0)) % 5] for row in range(5)]
        scores = sorted(generator.uniform(0.1, 0.9, 5).round(6), reverse=True)
        rows = zip(boxes.tolist(), scores, captions)
        regions = [{"box": b, "score": float(s), "caption": c, "log_prob": -1.0} for b, s, c in rows]
        head = {"image_id": image.image_id, "file": image.file, "width": image.width, "height": image.height}
        images.append({**head, "regions": regions})
    return images


def write_own(path: Path, images: list[dict], **more) -> Path:
    return _dump(path, {"version": 1, "complete": True, "images": images, **more})


def write_lines(path: Path, images: list[dict]) -> Path:
    path.write_text("".join(json.dumps({"version": 1, **image}) + "\n" for image in images))
    return path


def write_table(path: Path, images: list[dict]) -> Path:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(CSV_COLUMNS)
        for image in images:
            head = [image[key] for key in CSV_COLUMNS[:4]]
            for index, region in enumerate(image["regions"]):
                rows.writerow([*head, index, *region["box"], region["score"], region["log_prob"], region["caption"]])
    return path


def write_densecap(path: Path, images: list[dict], size: int = 720) -> Path:
    """(x, y, width, height) counted from 1 in the resized image whose sides are truncated; logits; file names."""
    results = []
    for image in images:
        scale = size / max(image["width"], image["height"])
        wide, high = (int(image[side] * scale + 1e-9) for side in ("width", "height"))
        x, y = wide / image["width"], high / image["height"]
        boxes = [region["box"] for region in image["regions"]]
        results.append(
            {
                "img_name": Path(image["file"]).name,
                "boxes": [[x1 * x + 1, y1 * y + 1, (x2 - x1) * x, (y2 - y1) * y] for x1, y1, x2, y2 in boxes],
                "scores": [float(np.log(r["score"] / (1 - r["score"]))) for r in image["regions"]],
                "captions": [region["caption"] for region in image["regions"]],
            }
        )
    return _dump(path, {"results": results, "opt": {"image_size": size, "checkpoint": "a.t7"}})


def write_coco(path: Path, images: list[dict]) -> Path:
    rows = []
    for image in images:
        for region in image["regions"]:
            x1, y1, x2, y2 = region["box"]
            row = {"image_id": int(image["image_id"]), "bbox": [x1, y1, x2 - x1, y2 - y1]}
            rows.append({**row, "score": region["score"], "caption": region["caption"]})
    return _dump(path, rows)


def _dump(path: Path, value) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


WRITERS = {
    "predictions.json": write_own,
    "predictions.jsonl": write_lines,
    "predictions.csv": write_table,
    "DenseCap results.json": write_densecap,
    "COCO detections with captions": write_coco,
}
