"""Every model, and every part in a model, is built: at its full size without memory, and small with its losses."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from densecap import checkpoint
from densecap.errors import UserError
from densecap.models.captioner import Captioner
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.feature_file import write_feature_file
from densecap.models.image_captioner import ImageCaptioner
from densecap.structures import Batch, Regions
from densecap.text.vocabulary import Vocabulary
from tests.configs.yaml_files import each_of, need_package, plain
from tests.fakes.feature_recipe import recipe
from tests.fakes.whole_images import WORDS, whole_batch

#: The widths of a small model, as far as its parts have them.
WIDTHS = {"embedding_dim": 8, "hidden_dim": 8, "multimodal_dim": 8, "num_heads": 2, "region_batch_size": 16}
#: Of those that find boxes and of those for whole images, one each.
KINDS = ("densecap_vgg16", "mrnn_vgg16")
SMALL_BACKBONE = ("model/backbone=conv_small",)
#: Side of a square that every backbone for whole images takes.
SIDE = 96


@pytest.fixture(name="batch")
def larger_batch(batch):
    """That of all tests, twice as large: some backbones halve a picture five times."""
    images = batch.images.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    regions = [Regions(2 * own.boxes, own.tokens) for own in batch.regions]
    sizes = [(2 * height, 2 * width) for height, width in batch.image_sizes]
    return Batch(images, sizes, regions, batch.image_ids, sizes)


def full_size(config) -> Captioner:
    """Built for its shapes alone, as ``checkpoint.load`` does before it reads tensors."""
    with torch.device("meta"):
        model = checkpoint.build_model(config["model"], Vocabulary(WORDS), pretrained=False)
    assert all(parameter.is_meta for parameter in model.parameters())
    return model


def small(config) -> Captioner:
    """Of the configuration's parts, as narrow as possible, with random weights."""
    model = {**config["model"], "image_size": 64}
    for part in ("localization", "recognition", "decoder"):
        if part in model:
            model[part] = {key: WIDTHS.get(key, value) for key, value in model[part].items()}
    if "input_size" in model:
        model["input_size"] = SIDE
        model["backbone"] = {k: False if k == "classifier" else v for k, v in model["backbone"].items()}
    torch.manual_seed(0)
    return checkpoint.build_model(model, Vocabulary(WORDS), pretrained=False)


def check_losses(model, batch) -> None:
    """Of a batch of regions, or of whole images; the decoder learns from them."""
    losses = model(batch if model.finds_boxes else whole_batch())
    assert "caption" in losses and all(torch.isfinite(loss) for loss in losses.values())
    sum(losses.values()).backward()
    gradients = [parameter.grad for parameter in model.decoder.parameters()]
    assert any(gradient is not None and gradient.any() for gradient in gradients)


@each_of("model")
def test_every_model_builds_at_its_full_size(name):
    config = plain("train", f"model={name}")
    model = full_size(config)
    assert isinstance(model, DenseCaptioner if name.startswith("densecap") else ImageCaptioner)
    assert model.image_size == config["data"]["image_size"] and model.conventions.caffe_pixels == name.endswith("2016")


@pytest.mark.long
@each_of("model")
def test_every_model_gives_losses(name, batch):
    check_losses(small(plain("train", f"model={name}")), batch)


@each_of("model/backbone")
@pytest.mark.parametrize("kind", [KINDS[0], pytest.param(KINDS[1], marks=pytest.mark.long)])
def test_every_backbone_builds_at_its_full_size(name, kind, tmp_path):
    config = with_backbone(name, kind, tmp_path)
    if name != "precomputed":
        backbone = full_size(config).backbone
        assert backbone.out_channels > 0 and len(backbone.geometry) > 0
    elif kind == "mrnn_vgg16":
        assert full_size(config).decoder.feature_dim == 16
    else:
        with pytest.raises(UserError, match="a dense captioner needs"):
            full_size(config)


@pytest.mark.long
@each_of("model/backbone")
@pytest.mark.parametrize("kind", KINDS)
def test_every_backbone_gives_losses_in_a_model(name, kind, batch, tmp_path):
    if (name, kind) != ("precomputed", "densecap_vgg16"):
        check_losses(small(with_backbone(name, kind, tmp_path)), batch)


def with_backbone(name, kind, folder: Path):
    """The configuration; features are those of a file in ``folder``."""
    need_package(f"model/backbone/{name}")
    config = copy.deepcopy(plain("train", f"model={kind}", f"model/backbone={name}"))
    if name == "precomputed":
        features = {"images/features": ((2, 16), [torch.randn(2, 16).numpy()])}
        config["model"]["backbone"]["file"] = str(folder / "features.h5")
        write_feature_file(folder / "features.h5", recipe(), ["b", "a"], features)
    return config


@each_of("model/decoder")
@pytest.mark.parametrize("kind", KINDS)
def test_every_decoder_builds_in_a_model(name, kind, batch):
    own, backbone = (
        plain("train", *of)["model"] for of in ((f"model={kind}", f"model/decoder={name}"), SMALL_BACKBONE)
    )
    config = {"model": {**own, "backbone": backbone["backbone"]}}
    assert full_size(config).decoder.vocabulary_size == len(WORDS)
    check_losses(small(config), batch)


@each_of("model/localization")
@pytest.mark.parametrize("backbone", ["conv_small", pytest.param("resnet50_fpn", marks=pytest.mark.long)])
def test_every_localization_builds_in_a_model(name, backbone, batch):
    config = plain("train", "model=densecap_small", f"model/backbone={backbone}", f"model/localization={name}")
    model = full_size(config)
    assert type(model.localization).__module__ == f"densecap.models.localization.{name}"
    check_losses(small(config), batch)


@each_of("model/recognition")
def test_every_recognition_builds_in_a_model(name, batch):
    config = plain("train", "model=densecap_small", f"model/recognition={name}")
    assert full_size(config).recognition.out_dim == config["model"]["recognition"]["hidden_dim"]
    check_losses(small(config), batch)
