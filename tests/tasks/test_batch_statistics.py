"""``trainer.sync_batchnorm``: nothing is changed where no statistics are learned, and common ones else."""

import copy
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from densecap.errors import UserError
from densecap.models.backbones.mobilenet_v2 import MobileNetV2
from densecap.models.backbones.resnet50 import ResNet50
from densecap.models.decoders.lstm import LSTMDecoder
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.localization.fcln import LocalizationLayer
from densecap.models.recognition.fully_connected import Recognition
from densecap.tasks.batch_statistics import NOTHING_LEARNS, learning_norms, share_batch_statistics
from densecap.text.vocabulary import Vocabulary
from tests.fakes.whole_images import small_image_captioner, whole_batch


class Normed(LSTMDecoder):
    """A decoder that learns the statistics of what it is given."""

    def __init__(self, feature_dim, vocabulary_size):
        super().__init__(feature_dim, vocabulary_size, embedding_dim=8, hidden_dim=8)
        self.norm = nn.BatchNorm1d(feature_dim)

    def hidden_states(self, features, tokens):
        return super().hidden_states(self.norm(features), tokens)


class Trainer:
    """A trainer of so many processes on an accelerator."""

    def __init__(self, world_size, accelerator):
        self.world_size, self.accelerator = world_size, accelerator


CPU, GPU = pl.accelerators.CPUAccelerator(), pl.accelerators.CUDAAccelerator()


def losses_and_gradients(model):
    torch.manual_seed(0)
    losses = model.train()(whole_batch(), torch.Generator().manual_seed(0))
    sum(losses.values()).backward()
    gradients = {name: item.grad for name, item in model.named_parameters() if item.grad is not None}
    return {name: value.item() for name, value in losses.items()}, gradients


def mobile():
    return MobileNetV2(weights=None, last_block=13)


def dense(backbone):
    return DenseCaptioner(
        Vocabulary([f"word{index}" for index in range(30)]),
        backbone,
        partial(LocalizationLayer, anchors=[(16, 16), (32, 24)], hidden_channels=8, region_batch_size=32),
        partial(Recognition, hidden_dim=20),
        partial(LSTMDecoder, embedding_dim=10, hidden_dim=12),
        image_size=64,
    )


@pytest.mark.parametrize("make", [dense, small_image_captioner])
def test_torchs_conversion_of_fixed_statistics_changes_nothing(make):
    """Weights of the layers learn, statistics do not, converted or not."""
    model = make(mobile())
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(model))
    assert any(isinstance(module, nn.SyncBatchNorm) for module in converted.modules())
    before = {name: value.clone() for name, value in model.named_buffers()}
    wanted, gradients = losses_and_gradients(model)
    found, own = losses_and_gradients(converted)
    assert found == wanted
    assert any("norm.weight" in name for name in own) and own.keys() == gradients.keys()
    assert all(torch.equal(own[name], gradients[name]) for name in own)
    for side in (model, converted):
        assert all(torch.equal(value, before[name]) for name, value in side.named_buffers())


@pytest.mark.parametrize("make", [mobile, lambda: ResNet50(weights=None)])
def test_backbones_learn_no_statistics_and_nothing_is_converted(make):
    said = []
    model = small_image_captioner(backbone=make())
    assert learning_norms(model) == []
    assert share_batch_statistics(model, Trainer(2, CPU), said.append) == 0 and said == [NOTHING_LEARNS]
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in model.modules())


def test_what_learns_statistics_is_converted_and_nothing_else():
    model = small_image_captioner(backbone=mobile(), decoder=Normed)
    model.backbone.train(False)
    assert learning_norms(model) == ["decoder.norm"] and model.decoder.training and not model.backbone.training
    weight = model.decoder.norm.weight
    assert share_batch_statistics(model, Trainer(1, CPU), pytest.fail) == 0
    with pytest.raises(UserError, match=r"trainer\.sync_batchnorm=true needs GPUs, for decoder\.norm"):
        share_batch_statistics(model, Trainer(2, CPU), pytest.fail)
    assert type(model.decoder.norm) is nn.BatchNorm1d
    assert share_batch_statistics(model, Trainer(2, GPU), pytest.fail) == 1
    shared = [name for name, module in model.named_modules() if isinstance(module, nn.SyncBatchNorm)]
    assert shared == ["decoder.norm"] and model.decoder.norm.weight is weight


def test_layers_of_timm_keep_their_activation():
    """torch's conversion would leave it out without a word."""
    pytest.importorskip("timm")
    from densecap.models.backbones.timm import TimmBackbone

    model = small_image_captioner(backbone=TimmBackbone("lcnet_035", weights=None))
    wanted, _ = losses_and_gradients(copy.deepcopy(model))
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(model))
    assert losses_and_gradients(converted)[0] != wanted
    share_batch_statistics(model, Trainer(2, GPU), str)
    assert losses_and_gradients(model)[0] == wanted
