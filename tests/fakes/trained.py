"""A dense captioner that was trained for seconds, on two generated scenes, until it knows these two by heart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from densecap.data.folder_lock import folder_lock

Box = Sequence[float]
ROOT = Path(__file__).parents[2]
OPTIONS = [
    "experiment=quickstart",
    "data.reader.counts={train: 2, val: 1, test: 1}",
    "data.batch_size=1",
    "callbacks.learned=null",
    "scheduler.warmup_steps=10",
    "trainer.max_steps=110",
    "trainer.max_epochs=60",
    "trainer.limit_val_batches=0",
]


@dataclass(frozen=True)
class Scene:
    """A picture of ``size`` and what is true of it: phrases and boxes x1, y1, x2, y2 in its pixels."""

    path: Path
    size: tuple[int, int]
    truth: list[tuple[str, Box]]

    def shares(self, box: Box) -> Box:
        """The box in shares of the picture, 0 to 1."""
        width, height = self.size
        return box[0] / width, box[1] / height, box[2] / width, box[3] / height

    def true_of(self, found: list[tuple[str, Box]]) -> list[tuple[str, Box]]:
        """Of captions with boxes in shares of the picture, those that say what is true of the place where they are."""
        truth = [(phrase, self.shares(box)) for phrase, box in self.truth]
        return [one for one in found if any(one[0] == phrase and overlap(one[1], box) > 0.4 for phrase, box in truth)]


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


@dataclass(frozen=True)
class Trained:
    """``checkpoint`` and the two scenes that its model has learned."""

    checkpoint: Path
    scenes: list[Scene]


def trained(folder: Path) -> Trained:
    """Train in a folder, or take what was trained there, also by another process at this moment."""
    folder.mkdir(parents=True, exist_ok=True)
    with folder_lock(folder, lambda: None):
        if not list(folder.glob("outputs/train/*/checkpoints/last.ckpt")):
            _train(folder)
    (checkpoint,) = folder.glob("outputs/train/*/checkpoints/last.ckpt")
    data = folder / "data" / "shapes"
    described = json.loads((data / "region_descriptions.json").read_text(encoding="utf-8"))
    return Trained(checkpoint, [_scene(data, image) for image in described if image["id"] in (1, 2)])


def _train(folder: Path) -> None:
    command = [sys.executable, str(ROOT / "train.py"), *OPTIONS]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr


def _scene(data: Path, image: dict) -> Scene:
    path = data / "VG_100K" / f"{image['id']}.jpg"
    return Scene(path, Image.open(path).size, [(region["phrase"], _corners(region)) for region in image["regions"]])


def _corners(region: dict) -> Box:
    return region["x"], region["y"], region["x"] + region["width"], region["y"] + region["height"]
