"""Stands for ``python`` where documented commands are tried: the same commands, told to do little.

What is added comes last, so it holds; everything that was typed is still parsed, composed and run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHAPES = "+data.reader.counts={train: 12, val: 4, test: 4}"
TRAIN = ["trainer.accelerator=cpu", "trainer.devices=1", "trainer.max_steps=2", "trainer.limit_val_batches=1"]
TRAIN += [
    "data.num_workers=0",
    "data.min_token_count=1",
    "callbacks.metrics.num_images=2",
    "detection.max_detections=5",
]
LITTLE = {
    "train": TRAIN,
    "predict": ["device=cpu", "detection.max_detections=5"],
    "eval": ["device=cpu", "detection.max_detections=5", "max_images=4", "data.min_token_count=1"],
    "extract_features": ["device=cpu", "data.min_token_count=1"],
    "preprocess": ["data.min_token_count=1"],
    "serve": ["device=cpu"],
    "benchmark": ["repeats=1", "num_photos=4", "height=96", "width=96", "regions=4", "device=cpu", "metrics.seconds=1"],
    "search": ["device=cpu"],
    "view": ["open=false"],
}
HAS_WEIGHTS = ("vgg", "mobilenet", "alexnet", "resnet")


def little(arguments: list[str]) -> list[str]:
    """The arguments of python, those of a command of ours with more behind them."""
    script = Path(arguments[0]).name
    command = script[:-3] if script in ("train.py", "eval.py", "predict.py") else ""
    if arguments[:2] == ["-m", "densecap"]:
        command = arguments[2]
    if not command or "--help" in arguments:
        return arguments
    more, typed = list(LITTLE.get(command, [])), " ".join(arguments)
    if command in ("train", "eval", "preprocess") and ("shapes" in typed or "quickstart" in typed):
        more.append(SHAPES.removeprefix("+"))
    if command in ("train", "extract_features") and _wants_weights(typed):
        more.append(f"model.backbone.weights={'mobilenet_v2.pth' if 'mobilenet' in typed else 'null'}")
    if command == "train":
        more += _small_model(typed)
    if command == "train" and "-m" in arguments[1:]:
        more += ["trainer.max_epochs=1", "trainer.limit_train_batches=2", "hydra/launcher=basic"]
        more += ["hydra.sweeper.n_trials=2"] if "hparams_search" in typed else []
    return [*arguments, *more]


def _wants_weights(typed: str) -> bool:
    names = [word for word in typed.split() if word.startswith(("model=", "model/backbone="))]
    dense = not names and "quickstart" not in typed and "experiment=mrnn_flickr8k" not in typed
    precomputed = "model/backbone=precomputed" in typed or "densecap_small" in typed
    return not precomputed and (dense or any(part in name for name in names for part in HAS_WEIGHTS))


def _small_model(typed: str) -> list[str]:
    if "mrnn" in typed:
        return []  # and the size of its images, which features are computed from as well
    learned = ["callbacks.learned.num_images=4"] if "quickstart" in typed else []
    return ["data.image_size=96", "model.recognition.hidden_dim=64", *learned]


if __name__ == "__main__":
    arguments = little(sys.argv[1:])
    if arguments[0] in ("train.py", "eval.py", "predict.py"):
        arguments[0] = str(ROOT / arguments[0])
    print("+ python", *arguments, file=sys.stderr, flush=True)
    os.execv(sys.executable, [sys.executable, *arguments])
