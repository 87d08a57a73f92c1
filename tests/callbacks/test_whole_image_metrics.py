"""Validation figures of a captioner of whole images: one caption an image, all of its captions as references."""

from functools import partial

import pytest
import pytorch_lightning as pl
import torch

from densecap.callbacks.caption_metrics import CaptionMetrics
from densecap.callbacks.examined_image import DescribedImage, ExaminedImage, TruthOfSplit, examine
from densecap.commands.train import monitored
from densecap.data.datamodule import CaptioningDataModule
from densecap.data.hdf5 import RegionFile
from densecap.data.images import read_image
from densecap.errors import UserError
from densecap.metrics.dense_modules import DenseMapMetric, ProposalRecallMetric
from densecap.metrics.modules import BleuMetric, CiderMetric, PerplexityMetric
from densecap.models.backbones.precomputed import Precomputed
from densecap.models.feature_file import write_feature_file
from densecap.tasks.image_captioning import ImageCaptioningTask
from densecap.tasks.schedules import constant
from tests.conftest import miniature_captioner
from tests.fakes.feature_recipe import recipe
from tests.fakes.region_file import write_fake
from tests.fakes.whole_images import small_image_captioner, write_whole_images


@pytest.fixture
def file(tmp_path):
    return write_whole_images(tmp_path / "wholes.h5", ["train", *["val"] * 4], captions=[2, 3, 1, 2, 3])


def validate(model, file, callback, pixels=True):
    data = CaptioningDataModule(file, image_size=64, batch_size=3)
    data.pixels = pixels
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        callbacks=[callback],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.validate(
        ImageCaptioningTask(model, partial(torch.optim.SGD, lr=1), constant), datamodule=data, verbose=False
    )
    return callback.figures


def metrics():
    return CaptionMetrics({"bleu": BleuMetric(), "cider": CiderMetric()}, num_images=None)


def pictures_and_truths(file):
    source = RegionFile(file)
    rows = source.indices("val").tolist()
    return [read_image(source.image_bytes(row)) for row in rows], [source.captions(row) for row in rows]


def test_each_image_counts_once_however_many_captions_it_has(file):
    model = small_image_captioner(seed=3).eval()
    torch.nn.init.normal_(model.decoder.output.weight, std=3.0)
    torch.nn.init.normal_(model.decoder.image_encoder[0].weight, std=9.0)
    figures = validate(model, file, metrics())
    pictures, references = pictures_and_truths(file)
    said = [model.caption_images([picture])[0][0].caption for picture in pictures]
    for name, metric in (("BLEU-1", BleuMetric()), ("CIDEr", CiderMetric())):
        metric.update(["image1", "image2", "image3", "image4"], said, references)
        value = metric.compute()
        expected = value[name] if isinstance(value, dict) else value
        assert figures[f"val/{name}"] == pytest.approx(float(expected))
    assert len(set(said)) > 1


def test_figures_need_no_pixels(file, tmp_path):
    model = small_image_captioner(seed=3).eval()
    source = RegionFile(file)
    with torch.no_grad():
        features = model.image_features([read_image(source.image_bytes(row)) for row in range(len(source))]).numpy()
    path = tmp_path / "features.h5"
    write_feature_file(path, recipe(), source.ids, {"images/features": (features.shape, [features])})
    blind = small_image_captioner(Precomputed(str(path)))
    blind.decoder.load_state_dict(model.decoder.state_dict())
    assert validate(blind.eval(), file, metrics(), pixels=False) == pytest.approx(validate(model, file, metrics()))


def test_metrics_that_mean_nothing_are_left_out():
    everything = {"bleu": BleuMetric(), "dense_map": DenseMapMetric(None), "proposal_recall": ProposalRecallMetric()}
    callback = CaptionMetrics({**everything, "perplexity": PerplexityMetric()})
    callback.suit(miniature_captioner())
    assert list(callback.metrics) == [*everything, "perplexity"]
    callback.suit(small_image_captioner())
    assert list(callback.metrics) == ["bleu"] and callback.names == [f"val/BLEU-{order}" for order in range(1, 5)]


def test_regions_are_described_as_regions(tmp_path):
    file = RegionFile(write_fake(tmp_path / "a.h5", ["val"], [3], [(48, 64)]))
    truth, model = TruthOfSplit(file, "val", None)["image0"], small_image_captioner().eval()
    picture = read_image(file.image_bytes(0))
    image = examine(model, picture, (48, 64), "image0", truth)
    assert isinstance(image, DescribedImage)
    assert list(image.described.keys) == ["image0 box 0", "image0 box 1", "image0 box 2"]
    boxes = [torch.from_numpy(truth.boxes).float()]
    assert list(image.described.candidates) == [own.caption for own in model.caption_boxes([picture], boxes)[0]]
    logits, targets = image.told
    assert logits.shape[:2] == targets.shape == (3, truth.tokens.shape[1] + 1)
    assert isinstance(examine(miniature_captioner(), picture, (48, 64), "image0", truth), ExaminedImage)


def test_which_figure_decides():
    with_cider = {"metrics": metrics()}
    assert monitored("auto", with_cider, finds_boxes=False) == "val/CIDEr"
    assert monitored("auto", {"metrics": CaptionMetrics({"bleu": BleuMetric()})}, finds_boxes=False) == "val/loss"
    assert monitored("val/perplexity", with_cider, finds_boxes=False) == "val/perplexity"
    assert monitored("auto", with_cider) == "val/loss"
    with pytest.raises(UserError, match="val/dense_mAP is no figure of this run"):
        monitored("val/dense_mAP", with_cider, finds_boxes=False)
