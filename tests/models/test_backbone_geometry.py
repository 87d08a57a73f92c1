"""Cells look where their levels say."""

import copy

import pytest
import torch
import torchvision
import torchvision.transforms.v2
from torch import nn

from densecap.models.backbones.geometry import receptive_field_level, traced_level
from densecap.models.backbones.inception_v3 import MIDDLE, STEM
from densecap.ops.anchors import Level
from tests.fakes.backbones import NAMES


def test_levels_by_hand():
    pool = nn.MaxPool2d(2)
    conv = nn.Conv2d(1, 1, 3, padding=1)
    assert receptive_field_level([conv, pool, conv, pool]) == Level(4, 2.0)
    assert receptive_field_level([nn.Conv2d(1, 1, 3, stride=2), nn.MaxPool2d(3, 2)]) == Level(4, 3.5)
    assert receptive_field_level([nn.Conv2d(1, 1, 7, stride=2, padding=3), nn.AvgPool2d(4, 4)]) == Level(8, 3.5)
    assert receptive_field_level([nn.Conv2d(1, 1, 3, dilation=2)]) == Level(1, 2.5)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("resnet50_fpn", "inception_v3")])
def test_centres_are_where_the_cells_look(name, backbone_of):
    # With equal positive weights everywhere the influence of a pixel on a cell is symmetric about the cell's centre.
    backbone = copy.deepcopy(backbone_of(name))
    make_linear(backbone)
    backbone.normalize = lambda images: images
    size = {"vgg16": 256, "resnet50": 512}.get(name, 320)
    images = torch.ones(1, 3, size, size, requires_grad=True)
    (features,) = backbone(images)
    (level,) = backbone.geometry
    check_centres(level, features, images)


def test_inception_looks_where_it_says(backbone_of, monkeypatch):
    """Up to Mixed_6a, behind which all kernels are centred but see the whole picture."""
    backbone = copy.deepcopy(backbone_of("inception_v3"))
    make_linear(backbone)
    monkeypatch.setattr(torch.nn.functional, "max_pool2d", torch.nn.functional.avg_pool2d)
    images = torch.ones(1, 3, 256, 256, requires_grad=True)
    features = images
    for name in (*STEM, *MIDDLE[: MIDDLE.index("Mixed_6a") + 1]):
        features = backbone.layers[name](features)
    check_centres(backbone.geometry[0], features, images)


def check_centres(level, features, images):
    """The pixels that a cell in the middle listens to lie around where the level says."""
    row, column = features.shape[2] // 2, features.shape[3] // 2 - 1
    features[0, :, row, column].sum().backward()
    influence = images.grad[0].abs().sum(dim=0).double()
    centres = torch.arange(images.shape[3], dtype=torch.float64) + 0.5
    found_x = (influence.sum(dim=0) * centres).sum() / influence.sum()
    found_y = (influence.sum(dim=1) * centres).sum() / influence.sum()
    assert found_x.item() == pytest.approx(level.offset + level.stride * column, abs=0.3)
    assert found_y.item() == pytest.approx(level.offset + level.stride * row, abs=0.3)


def make_linear(network):
    """Averaging convolutions, neutral normalisation, average instead of maximum."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.Conv2d):
                layer.weight.data.fill_(1 / layer.weight[0].numel())
                if layer.bias is not None:
                    layer.bias.data.zero_()
            elif isinstance(layer, nn.BatchNorm2d):
                nn.init.ones_(layer.weight), nn.init.zeros_(layer.bias)
                layer.running_mean.zero_(), layer.running_var.fill_(1)
            elif isinstance(layer, nn.MaxPool2d):
                pool = nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding, ceil_mode=layer.ceil_mode)
                setattr(parent, name, pool)
            elif isinstance(layer, nn.GroupNorm | nn.ReLU | nn.ReLU6):
                setattr(parent, name, nn.Identity())


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("vgg16", Level(16, 8.0)),
        ("resnet50", Level(32, 0.5)),
        ("squeezenet1_1", Level(16, 15.5)),
        ("mobilenet_v2", Level(32, 0.5)),
        ("convnext_tiny", Level(32, 16.0)),
        ("densenet121", Level(32, 14.5)),  # its average poolings move the centre by 2, 4 and 8
    ],
)
def test_tracing_finds_what_the_layers_say(name, level):
    network = getattr(torchvision.models, name)().eval()
    network.classifier = network.fc = nn.Identity()
    assert traced_level(network, level.stride) == level
