"""m-RNN's published features and captions become a file of features and a table that training takes."""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.core.hydra_config import HydraConfig

from densecap import checkpoint
from densecap.cli.entry import run
from densecap.conversion.beside import Beside
from densecap.conversion.table import convert, recognised
from densecap.conversion.writing import save_made
from densecap.errors import UserError
from densecap.models.feature_file import FeatureFile
from tests.fakes.python2_pickle import save_npy
from tests.fakes.visual_genome import write_picture

SPLITS = {"train": (3, 9, 25), "val": (30,), "test": (42,)}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    before = HydraConfig.instance().cfg
    yield tmp_path
    HydraConfig.instance().cfg = before


def annotation(number: int) -> dict[str, Any]:
    folder = "train2014" if number < 30 else "val2014"
    return {
        "file_name": f"COCO_{folder}_{number:012d}.jpg",
        "file_path": folder,
        "id": number,
        "height": 40,
        "width": 60,
        "url": "http://example.org/a.jpg",
        "date_captured": "2013-11-14 17:02:52",
        "license": 3,
        "sentences": [["a", "dog", ",", 'a "cat"'], ["grass", "is", "green"]],
    }


def publish(folder: Path, width: int = 4096) -> tuple[Path, dict[str, Path], dict[int, np.ndarray]]:
    """The file of vectors, with one that no annotation is about, and the lists of annotations."""
    random = np.random.default_rng(0)
    numbers = [number for split in SPLITS.values() for number in split]
    vectors = {number: random.standard_normal(width).astype(np.float32) for number in [*numbers, 77]}
    path = save_npy(folder / "VGG_feat_o_dct_mscoco_2014.npy", vectors)
    lists = {
        split: save_npy(folder / f"anno_list_mscoco_{split}_m_RNN.npy", [annotation(number) for number in numbers])
        for split, numbers in SPLITS.items()
    }
    return path, lists, vectors


def test_vectors_and_captions_are_those_of_the_files(here: Path) -> None:
    path, lists, vectors = publish(here)
    found = recognised(path)
    assert found is not None and found.name == "mrnn_features"
    made = convert(path, beside=Beside(annotations=lists))
    assert made.found == "4096 numbers of each of 5 images with 10 captions"
    save_made(made, here / "coco" / "mrnn.h5")
    file = FeatureFile(here / "coco" / "mrnn.h5")
    assert file.ids[:2] == ["train2014/COCO_train2014_000000000003.jpg", "train2014/COCO_train2014_000000000009.jpg"]
    expected = np.stack([vectors[number] for split in SPLITS.values() for number in split])
    assert torch.equal(file.features(), torch.from_numpy(expected))
    assert (file.recipe.backbone_name, file.recipe.crop, file.recipe.weights_sha256) == ("VGG16", "ten", "")
    with (here / "coco" / "mrnn.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.reader(table))
    assert rows[0] == ["image", "caption", "split"] and len(rows) == 11
    assert rows[1] == ["train2014/COCO_train2014_000000000003.jpg", 'a dog , a "cat"', "train"]
    assert [row[2] for row in rows[-4:]] == ["val", "val", "test", "test"]


def test_vectors_of_the_multimodal_layer_are_kept_as_such(here: Path) -> None:
    path, lists, _ = publish(here, width=1024)
    save_made(convert(path, beside=Beside(annotations=lists)), here / "refined.h5")
    assert FeatureFile(here / "refined.h5").recipe.layer == "refined"


@pytest.mark.long
def test_training_takes_them(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, lists, _ = publish(here)
    for split in SPLITS.values():
        for number in split:
            item = annotation(number)
            (here / "coco" / item["file_path"]).mkdir(parents=True, exist_ok=True)
            write_picture(here / "coco" / item["file_path"] / item["file_name"], (40, 60), number)
    beside = [f"annotations.{split}={file}" for split, file in lists.items()]
    assert run(["convert", f"path={path}", "from=mrnn_features", *beside, "output=coco/mrnn.h5"]) == 0
    said = capsys.readouterr().err
    assert "data=csv data.name=mrnn_coco data.root=FOLDER" in said and "model.backbone.file=coco/mrnn.h5" in said
    words = ["train", "model=mrnn_vgg16", "model/backbone=precomputed", "model.backbone.file=coco/mrnn.h5", "data=csv"]
    words += ["data.name=mrnn_coco", "data.root=coco", "data.table=mrnn.csv", "data.min_token_count=1"]
    words += ["model.decoder.hidden_dim=8", "model.decoder.multimodal_dim=8", "trainer=cpu", "trainer.max_epochs=1"]
    assert run([*words, "metric=none", "logger=csv"]) == 0
    assert "features of VGG16 (ten, 224 pixels) instead of pixels" in capsys.readouterr().err
    trained = next(Path().glob("outputs/train/*/checkpoints/last.ckpt"))
    with pytest.raises(UserError, match="features of VGG16 that others computed: say with what weights, model.backb"):
        checkpoint.load(trained)


def test_mistakes_say_what_is_missing(here: Path) -> None:
    path, lists, vectors = publish(here, width=10)
    with pytest.raises(UserError, match="but not whose captions: give the annotations published with it, annotations."):
        convert(path)
    with pytest.raises(UserError, match="holds vectors of 10 numbers; those of m-RNN have 4096, 2048 or 1024"):
        convert(path, beside=Beside(annotations=lists))
    with pytest.raises(UserError, match="test_m_RNN.npy is no list of annotations: it holds int"):
        save_npy(lists["test"], 5)
        convert(path, beside=Beside(annotations=lists))
    path, lists, vectors = publish(here, width=4096)
    with pytest.raises(UserError, match="5 images are in the annotations of two splits|1 images are in"):
        convert(path, beside=Beside(annotations=lists | {"val": lists["test"]}))
    save_npy(path, {77: vectors[77]})
    with pytest.raises(UserError, match="has a vector of none of the 5 images in the annotations"):
        convert(path, beside=Beside(annotations=lists))
    save_npy(path, {3: vectors[3], 9: vectors[9][:7]})
    with pytest.raises(UserError, match=r"its vectors have \[7, 4096\] numbers"):
        convert(path, beside=Beside(annotations=lists))
    save_npy(path, {3: vectors[3] * np.float32("nan")})
    with pytest.raises(UserError, match="holds values that are not numbers for image 3"):
        save_made(convert(path, beside=Beside(annotations=lists)), here / "a.h5")
    np.save(path, np.zeros((3, 4)))
    with pytest.raises(UserError, match=r"holds an array of float64 \(3, 4\), not a dictionary or list by image id"):
        convert(path, beside=Beside(annotations=lists))
