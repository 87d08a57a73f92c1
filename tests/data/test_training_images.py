"""The guard against evaluating on training images: keys, the way through a checkpoint, the sentence."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from densecap import checkpoint
from densecap.checkpoint import LoadedModel
from densecap.commands.eval_model import overlap_warnings
from densecap.data.datamodule import CaptioningDataModule
from densecap.data.hdf5 import RegionFile
from densecap.data.training_images import (
    id_space_of,
    image_keys,
    overlap_warning,
    seen_in_training,
    training_images,
)
from densecap.evaluation.truth import Truth
from tests.fakes.region_file import write_fake

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "splits"


def fake(path: Path, splits: list[str]) -> RegionFile:
    return RegionFile(write_fake(path, splits, [1] * len(splits), [(8, 8)] * len(splits)))


def test_one_photo_has_one_key_in_a_space_and_another_elsewhere() -> None:
    keys = image_keys("coco", ["9", "25", "9"])
    assert keys.dtype == torch.int64 and keys[0] == keys[2] != keys[1]
    assert image_keys("visual_genome", ["9"])[0] != keys[0]
    assert image_keys("flickr", ["1000268201_693b08cb0e"]).equal(image_keys("flickr", ["1000268201"]))
    assert not image_keys("other", ["1_a"]).equal(image_keys("other", ["1"]))
    assert image_keys("coco", []).shape == (0,)


def test_seen_images_are_named_in_the_order_of_the_evaluation(tmp_path: Path) -> None:
    file = fake(tmp_path / "a.h5", ["train", "val", "train", "test"])
    trained = training_images(file)
    assert len(trained) == 2 and trained.equal(trained.unique(sorted=True)) and id_space_of(file) == "fake"
    assert seen_in_training(trained, "fake", ["image3", "image2", "image0"]) == ["image2", "image0"]
    assert seen_in_training(trained, "coco", ["image0"]) == []
    assert seen_in_training(None, "fake", ["image0"]) == [] == seen_in_training(trained[:0], "fake", ["image0"])


def test_the_sentence_names_how_many_and_which() -> None:
    text = overlap_warning([str(number) for number in range(747)], "test", 1000, 113_287)
    assert "747 of the 1,000 evaluated images of split test" in text
    assert "113,287 training images hold 0, 1, 2, 3, 4 and 742 more" in text
    assert "all evaluated images of split val" in overlap_warning(["a"], "val", 1, 5)


class OneNumber(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def training_step(self, batch: object, batch_idx: int) -> torch.Tensor:
        return self.weight.sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trainer(folder: Path, steps: int) -> pl.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return pl.Trainer(
        max_steps=steps,
        accelerator="cpu",
        enable_checkpointing=False,
        default_root_dir=folder,
        use_distributed_sampler=False,
        **quiet,
    )


def test_a_checkpoint_carries_them_and_a_resumed_one_those_of_before(tmp_path: Path) -> None:
    first = fake(tmp_path / "a.h5", ["train", "train", "val"])
    second = fake(tmp_path / "b.h5", ["val", "test", "test", "train"])
    run = trainer(tmp_path, 1)
    run.fit(OneNumber(), datamodule=CaptioningDataModule(first.path, 8))
    run.save_checkpoint(tmp_path / "a.ckpt")
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    assert checkpoint.trained_on(content).equal(training_images(first))
    run = trainer(tmp_path, 2)
    run.fit(OneNumber(), datamodule=CaptioningDataModule(second.path, 8), ckpt_path=tmp_path / "a.ckpt")
    run.save_checkpoint(tmp_path / "b.ckpt")
    both = checkpoint.trained_on(torch.load(tmp_path / "b.ckpt", weights_only=True))
    assert both.equal(image_keys("fake", ["image0", "image1", "image3"]).unique())
    assert checkpoint.trained_on({"state_dict": {}}) is None


def test_eval_warns_when_the_evaluated_split_was_trained_on(tmp_path: Path) -> None:
    file = fake(tmp_path / "a.h5", ["train", "test", "test"])
    truth = Truth(file, "test")
    loaded = LoadedModel(nn.Identity(), {}, tmp_path / "m.ckpt", "fake", trained_on=training_images(file))
    assert overlap_warnings(loaded, truth) == []
    assert overlap_warnings(replace(loaded, trained_on=None), truth) == []
    (text,) = overlap_warnings(replace(loaded, trained_on=image_keys("fake", ["image2", "image7"])), truth)
    assert text.startswith("the model was trained on 1 of the 2 evaluated images of split test") and "image2" in text


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_the_published_splits_of_coco_overlap_as_counted_elsewhere() -> None:
    karpathy = json.loads((SHARED / "karpathy" / "coco_karpathy_split_ids_derived.json").read_text())
    mrnn = json.loads((SHARED / "coco_mrnn" / "mrnn_coco_split_ids.json").read_text())
    trained = image_keys("coco", [str(number) for number in karpathy["train"]]).unique()
    assert len(trained) == 113_287  # no two images share a key
    for split, count in (("test", 747), ("val", 2995)):
        ids = [str(number) for number in mrnn[split]]
        seen = seen_in_training(trained, "coco", ids)
        assert len(seen) == count and set(seen) == set(ids) & {str(number) for number in karpathy["train"]}
