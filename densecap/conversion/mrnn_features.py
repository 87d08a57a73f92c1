"""Features and captions that were published with m-RNN: pickled dictionaries of vectors by the images' number, and
lists of annotations, turned into a file of features and a table of captions for training without pixels.

``VGG_feat_o_dct_mscoco_2014.npy`` has fc7 of VGG-16 (4096 numbers, the mean over ten crops), and
``VGG_feat_mRNN_refine_dct_mscoco_2014.npy`` what m-RNN's multimodal layer made of it (1024). Lists are called
``anno_list_mscoco_*_m_RNN.npy``: for each image a dictionary with ``id``, ``file_path``, ``file_name``, ``sentences``.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from densecap.builder import build
from densecap.conversion import model_config
from densecap.conversion.beside import Beside
from densecap.conversion.converted import Converted, source_of
from densecap.conversion.pickles import reader
from densecap.conversion.pickles.values import Array, Refused
from densecap.errors import UserError
from densecap.features.backbones import with_absolute_weights
from densecap.models.backbones.inception_v3 import InceptionV3
from densecap.models.backbones.vgg16 import VGG16
from densecap.models.backbones.weights import IMAGENET
from densecap.models.feature_file import write_feature_file
from densecap.models.feature_recipe import FeatureRecipe, digest_of_weights

FORMAT = "mrnn_features"

#: Name of the data set, and of the longest side of its images in pixels, as configs/data/csv.yaml has it.
DATA_NAME, IMAGE_SIZE = "mrnn_coco", 720

#: Width of the vectors of the multimodal layer.
REFINED = 1024

#: Images that are written together.
ROWS = 1024


@dataclass(frozen=True)
class Row:
    """An image with captions: its name in the table, its number, its split and its captions."""

    name: str
    number: int
    split: str
    captions: list[str]


def matches(value: Any) -> bool:
    """Whether it is a dictionary of vectors."""
    return isinstance(value, dict) and bool(value) and isinstance(next(iter(value.values())), Array)


def convert(value: Any, path: Path, beside: Beside) -> Converted:
    """A file of features, and beside it a table of captions. Errors: UserError."""
    vectors, width = _vectors(value, path)
    if not beside.annotations:
        raise UserError(
            f"{path} holds vectors by number, but not whose captions: give the annotations published with it, "
            "annotations.train=FILE, and if wanted annotations.val=FILE and annotations.test=FILE"
        )
    annotated = [row for split, file in beside.annotations.items() for row in _annotations(file, split)]
    rows = [row for row in annotated if row.number in vectors and row.captions]
    if not rows:
        raise UserError(f"{path} has a vector of none of the {len(annotated):,} images in the annotations")
    repeated = len(rows) - len({row.name for row in rows})
    if repeated:
        raise UserError(f"{repeated:,} images are in the annotations of two splits")
    left_out = len(annotated) - len(rows)
    note = f" ({left_out:,} annotated images are left out: no vector or no caption)" if left_out else ""
    sentences = sum(len(row.captions) for row in rows)
    found = f"{width} numbers of each of {len(rows):,} images with {sentences:,} captions{note}"
    write = partial(_write, rows, vectors, width, recipe(width, beside.weights, path), path)
    return Converted({}, ".h5", found, _use(width), write)


def _use(width: int) -> str:
    if width == REFINED:
        return "densecap.models.feature_file.FeatureFile('PATH').features(), to find images that are like another"
    return (
        "python train.py model=mrnn_vgg16 model/backbone=precomputed model.backbone.file=PATH data=csv "
        f"data.name={DATA_NAME} data.root=FOLDER data.table=TABLE, where FOLDER holds train2014 and val2014, and TABLE "
        "is the file of captions beside PATH, moved there"
    )


def _vectors(value: Any, path: Path) -> tuple[dict[int, Array], int]:
    """Arrays by the numbers of images, and their width. Errors: UserError."""
    if not matches(value):
        raise UserError(f"{path} is not as expected: it should be a dictionary of vectors by the number of an image")
    vectors = {_number(key, path): array for key, array in value.items()}
    sizes = {array.size if isinstance(array, Array) else 0 for array in vectors.values()}
    if len(sizes) != 1 or 0 in sizes:
        raise UserError(f"{path} is not as expected: its vectors have {sorted(sizes)[:5]} numbers")
    return vectors, sizes.pop()


def _number(key: object, path: Path) -> int:
    if isinstance(key, int) or (isinstance(key, str) and key.isdecimal() and len(key) < 20):
        return int(key)
    raise UserError(f"{path} is not as expected: images have numbers, but one is called {str(key)[:40]!r}")


def _annotations(path: Path, split: str) -> Iterator[Row]:
    """Errors: UserError for what is no list of annotations."""
    value = reader.read(path)
    try:
        items = value.items() if isinstance(value, Array) else value
    except Refused as error:
        raise UserError(f"{path} is no list of annotations: {error}") from error
    if not isinstance(items, list):
        raise UserError(f"{path} is no list of annotations: it holds {type(items).__name__}")
    for index, item in enumerate(items):
        if not isinstance(item, dict) or not {"id", "file_name"} <= item.keys():
            raise UserError(f"{path} is no list of annotations: entry {index} has no id and file_name")
        yield _row(item, path, split)


def _row(item: Mapping[str, Any], path: Path, split: str) -> Row:
    folder, name, sentences = item.get("file_path", ""), item["file_name"], item.get("sentences") or []
    if not isinstance(name, str) or not isinstance(folder, str) or not isinstance(sentences, list):
        raise UserError(f"{path} is no list of annotations: image {item['id']} has a name or sentences of another kind")
    captions = [words if isinstance(words, str) else _joined(words, path) for words in sentences]
    return Row(f"{folder}/{name}".lstrip("/"), _number(item["id"], path), split, [text for text in captions if text])


def _joined(words: Any, path: Path) -> str:
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UserError(f"{path} is no list of annotations: a sentence is no list of words")
    return " ".join(words)


def recipe(width: int, weights: str | None, path: Path) -> FeatureRecipe:
    """What the vectors were computed from, as far as their authors say; ``weights`` are taken for those of the network.

    Errors: UserError for a width that none of their networks has.
    """
    if width in (4096, REFINED):
        pixels = "imagenet" if weights == IMAGENET else "caffe_bgr"
        node, crop, size = model_config.backbone(VGG16, classifier=True, normalization=pixels), "ten", 224
    elif width == 2048:
        node, crop, size = model_config.backbone(InceptionV3, classifier=True), "squash", 299
    else:
        raise UserError(f"{path} holds vectors of {width:,} numbers; those of m-RNN have 4096, 2048 or {REFINED}")
    node = with_absolute_weights(node | {"weights": weights})
    digest = digest_of_weights(build(node)) if weights else ""
    layer, model = ("refined", "") if width == REFINED else ("backbone", None)
    return FeatureRecipe(DATA_NAME, "", IMAGE_SIZE, node, digest, crop, size, layer, model)


def _write(
    rows: list[Row], vectors: Mapping[int, Array], width: int, recipe: FeatureRecipe, path: Path, output: Path
) -> None:
    """The table first, so that the file that was asked for is there when all is done."""
    table = output.with_suffix(".csv")
    temporary = table.with_name(f".{table.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("image", "caption", "split"))
            writer.writerows((row.name, caption, row.split) for row in rows for caption in row.captions)
        temporary.replace(table)
    finally:
        temporary.unlink(missing_ok=True)
    arrays = {"images/features": ((len(rows), width), _pieces(rows, vectors, path))}
    write_feature_file(output, recipe, [row.name for row in rows], arrays, {"source": source_of(path, FORMAT)})


def _pieces(rows: list[Row], vectors: Mapping[int, Array], path: Path) -> Iterator[np.ndarray]:
    """Errors: UserError for numbers that are none."""
    for start in range(0, len(rows), ROWS):
        numbers = [row.number for row in rows[start : start + ROWS]]
        try:
            block = np.stack([vectors[number].array().astype(np.float32).reshape(-1) for number in numbers])
        except Refused as error:
            raise UserError(f"{path} is not as expected: {error}") from error
        wrong = np.flatnonzero(~np.isfinite(block).all(axis=1))
        if len(wrong):
            raise UserError(f"{path} holds values that are not numbers for image {numbers[wrong[0]]}")
        yield block
