"""What lies in a model's folder, and how large each of its texts may be.

config.json          {"format": "densecap", "version": ..., "data_name": ..., "config": {...}, and what is known of
                     "source", "training" and "figures"}; ``config`` holds model, detection, generation as yaml has
vocabulary.json      {"words": [...]}, in the order of their ids
model.safetensors    the tensors by name
training_images.safetensors   keys of the images it was trained on, where they are known
README.md            the card
"""

from __future__ import annotations

from pathlib import Path

FORMAT = "densecap"

CONFIG, VOCABULARY, WEIGHTS, CARD = "config.json", "vocabulary.json", "model.safetensors", "README.md"
TRAINING_IMAGES = "training_images.safetensors"

#: All that is fetched from a hub: there may be anything beside them.
FILES = (CONFIG, VOCABULARY, WEIGHTS, TRAINING_IMAGES, CARD)

#: Bytes of a JSON file at most.
MAX_JSON = 1 << 26


def is_model_folder(path: Path) -> bool:
    """Whether it is a folder with a model as this program writes them, complete or not."""
    return path.is_dir() and (path / CONFIG).is_file() and ((path / WEIGHTS).exists() or (path / VOCABULARY).exists())


def folder_of(path: Path) -> Path:
    """The folder that is meant by itself or by its file of weights."""
    return path.parent if path.name == WEIGHTS else path


def is_graph(path: Path) -> bool:
    """Whether it is a model in ONNX, or a folder with one (``densecap.onnx_runtime``)."""
    return path.suffix.lower() == ".onnx" or (path / "model.onnx").is_file()
