"""The arithmetic floor against numbers worked out by hand."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from densecap.benchmark import floor
from densecap.models.backbones.conv_small import ConvSmall
from densecap.models.backbones.resnet50 import ResNet50FPN
from densecap.models.backbones.vgg16 import CONFIGURATION, VGG16
from densecap.models.decoders.base import Decoder
from densecap.models.decoders.lstm import LSTMDecoder
from densecap.models.decoders.transformer import TransformerDecoder
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.localization.fcln import LocalizationLayer
from densecap.models.recognition.fully_connected import Recognition
from densecap.ops.without_storage import without_storage
from densecap.text.vocabulary import Vocabulary

V = 10_497


def captioner(backbone: object, words: int = V, recognition: int = 4096, **decoder: int) -> DenseCaptioner:
    """The model without a byte of weights: only shapes matter here."""
    vocabulary = Vocabulary([f"w{index}" for index in range(words)])
    with torch.device("meta"):
        return DenseCaptioner(
            vocabulary,
            backbone,  # type: ignore[arg-type]
            LocalizationLayer,
            partial(Recognition, hidden_dim=recognition),
            partial(LSTMDecoder, **decoder),
        )


@pytest.fixture(scope="module")
def vgg16() -> DenseCaptioner:
    return captioner(without_storage(VGG16(weights=None)))


@pytest.fixture(scope="module")
def small() -> DenseCaptioner:
    return captioner(ConvSmall(), words=20, recognition=32, embedding_dim=16, hidden_dim=24)


def vgg16_operations(height: int, width: int, round_up: bool) -> int:
    """Each 3x3 convolution makes 9 * in * out products a pixel; poolings halve the sides."""
    total, channels = 0, 3
    for out in CONFIGURATION:
        if out is None:
            height, width = ((side + round_up) // 2 for side in (height, width))
        else:
            total, channels = total + 2 * 9 * channels * out * height * width, out
    return total


def test_vgg16_convolutions_by_hand(vgg16: DenseCaptioner) -> None:
    assert vgg16_operations(540, 720, round_up=False) / 1e9 == pytest.approx(236.8, abs=0.05)
    assert floor.backbone_operations(vgg16, [(540, 720)]) == vgg16_operations(540, 720, round_up=True)


@pytest.mark.parametrize(("size", "billions"), [((480, 640), 188.0), ((360, 480), 105.5), ((224, 224), 30.7)])
def test_vgg16_at_other_sizes(vgg16: DenseCaptioner, size: tuple[int, int], billions: float) -> None:
    assert floor.backbone_operations(vgg16, [size]) / 1e9 == pytest.approx(billions, rel=0.004)


def test_resnet50_pyramid() -> None:
    """torchvision gives 4.09 billion products for ResNet-50 at 224 pixels, 2.05 million of them in its last layer."""
    model = captioner(without_storage(ResNet50FPN(weights=None)))
    cells = [56 * 56, 28 * 28, 14 * 14, 7 * 7]
    lateral = sum(256 * channels * cell for channels, cell in zip((256, 512, 1024, 2048), cells))
    smoothing = sum(9 * 256 * 256 * cell for cell in cells)
    trunk = floor.backbone_operations(model, [(224, 224)]) / 2 - lateral - smoothing
    assert (trunk + 2048 * 1000) / 1e9 == pytest.approx(4.09, abs=0.005)


def test_several_images_add_up(small: DenseCaptioner) -> None:
    first, second = (floor.backbone_operations(small, [size]) for size in ((64, 48), (32, 80)))
    assert floor.backbone_operations(small, [(64, 48), (32, 80)]) == first + second


def test_proposals_by_hand(vgg16: DenseCaptioner) -> None:
    cells = 45 * 34
    expected = 2 * cells * (9 * 512 * 256 + 256 * 12 * 4 + 256 * 12 * 2)
    assert floor.proposal_operations(vgg16, [(540, 720)]) == expected


def test_recognition_by_hand(vgg16: DenseCaptioner) -> None:
    expected = 2 * (25_088 * 4096 + 4096 * 4096 + 4096 * 5)
    assert floor.recognition_operations(vgg16, 1) == expected
    assert expected / 1e9 == pytest.approx(0.239, abs=0.0005)
    assert floor.recognition_operations(vgg16, 300) == 300 * expected
    assert floor.recognition_operations(vgg16, 0) == 0


def test_decoding_by_hand(vgg16: DenseCaptioner) -> None:
    """LSTM: the region is one step more than the words; 0.239 billion a region at 16 steps."""
    encoder, lstm, output = 2 * 4096 * 512, 2 * (512 + 512) * 4 * 512, 2 * 512 * (V + 1)
    counted = floor.decoding_operations(vgg16.decoder, regions=3, words=3 * 16, length=16)
    assert counted == 3 * (encoder + lstm) + 3 * 16 * (lstm + output)
    assert (counted / 3 - encoder - lstm) / 1e9 == pytest.approx(0.239, abs=0.0005)


def test_decoding_counts_words_said(vgg16: DenseCaptioner) -> None:
    """Captions that end early cost less: the floor follows the words, not the longest caption."""
    none = floor.decoding_operations(vgg16.decoder, 10, 0, length=15)
    half = floor.decoding_operations(vgg16.decoder, 10, 75, length=15)
    whole = floor.decoding_operations(vgg16.decoder, 10, 150, length=15)
    assert whole - half == pytest.approx(half - none)


def test_transformer_steps_grow() -> None:
    decoder: Decoder = TransformerDecoder(64, 100, embedding_dim=32, hidden_dim=48, num_layers=2, num_heads=4)
    short = floor.decoding_operations(decoder, 1, 1, length=1)
    beginning = floor.decoding_operations(decoder, 1, 0, length=1)
    long = floor.decoding_operations(decoder, 1, 1, length=12)
    assert beginning < short < long


def test_training_is_three_times_prediction_for_what_learns(small: DenseCaptioner) -> None:
    """Every layer's gradient takes two products as large as its own, but the first has no input to pass it to."""
    sizes, regions, captions, length = [(64, 48), (32, 80)], 20, 4, 5
    words = captions * (length + 1)
    first = small.backbone.features[0]
    pixels = sum(height * width // 4 for height, width in sizes)
    unneeded = 2 * pixels * first.weight.numel()
    outputs = floor.recognition_operations(small, regions) - 2 * (regions - captions) * 32 * 4
    forward = floor.backbone_operations(small, sizes) + floor.proposal_operations(small, sizes) + outputs
    forward += floor.decoding_operations(small.decoder, captions, words, length + 1)
    lstm_memory = 2 * 24 * 4 * 24  # zero before the first step: multiplied, but with no gradient to hand on
    counted = floor.training_operations(small, sizes, regions, captions, length, words)
    assert counted == pytest.approx(3 * forward - unneeded, abs=captions * lstm_memory)


def test_frozen_backbone_has_no_gradients(vgg16: DenseCaptioner) -> None:
    size, regions = (64, 64), 8
    vgg16.backbone.set_trainable(False)
    counted = floor.training_operations(vgg16, [size], regions, 0, 3, 0)
    proposals = floor.proposal_operations(vgg16, [size])
    first_convolution = 2 * 16 * 9 * 512 * 256  # of the proposal network; its input needs no gradient
    branches = regions * 2 * 4096 * 5 - regions * 2 * 4096 * 4  # no region is positive: the box branch sees none
    recognition = floor.recognition_operations(vgg16, regions) - regions * 2 * 4096 * 5 + branches
    expected = floor.backbone_operations(vgg16, [size]) + 3 * proposals - first_convolution + 3 * recognition
    assert counted == pytest.approx(expected, rel=1e-6)


def test_without_storage_keeps_shapes_and_what_learns() -> None:
    layer = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    layer[0].weight.requires_grad_(False)
    copied = without_storage(layer)
    assert {name: value.shape for name, value in copied.state_dict().items()} == {
        name: value.shape for name, value in layer.state_dict().items()
    }
    assert all(value.is_meta for value in copied.state_dict().values())
    assert [item.requires_grad for item in copied.parameters()] == [item.requires_grad for item in layer.parameters()]
    assert not layer[0].weight.is_meta


def test_counter_agrees_with_a_real_run(small: DenseCaptioner) -> None:
    """The same layers on real numbers run the same products."""
    real = ConvSmall()
    image = torch.zeros(1, 3, 64, 48, dtype=torch.uint8)
    with torch.no_grad():
        assert floor.count_operations(lambda: real(image)) == floor.backbone_operations(small, [(64, 48)])
