"""A miniature dense captioner of the real parts, and a batch for it."""

from functools import partial

import pytest
import torch
from torch import nn

from densecap.models.backbones.base import Backbone
from densecap.models.decoders.lstm import LSTMDecoder
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.localization.fcln import LocalizationLayer
from densecap.models.recognition.fully_connected import Recognition
from densecap.ops.anchors import Level
from densecap.structures import Batch, Regions
from densecap.text.vocabulary import Vocabulary

torch.set_num_threads(1)  # pytest already runs a process for each core


class TwoConvolutions(Backbone):
    """Stride 8, 6 channels."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 6, 4, 4), nn.ReLU(), nn.Conv2d(6, 6, 2, 2), nn.ReLU())
        self.out_channels = 6
        self.geometry = (Level(8, 4.0),)
        self.complete(pretrained=False, trainable=True)

    def forward(self, images):
        return (self.layers(self.normalize(images)),)


def miniature_captioner(compat=None, image_size=64, seed=0):
    torch.manual_seed(seed)
    return DenseCaptioner(
        Vocabulary([f"word{index}" for index in range(30)]),
        TwoConvolutions(),
        partial(LocalizationLayer, anchors=[(16, 16), (32, 24)], hidden_channels=8, region_batch_size=32),
        partial(Recognition, hidden_dim=20),
        partial(LSTMDecoder, embedding_dim=10, hidden_dim=12),
        image_size=image_size,
        compat=compat,
    )


@pytest.fixture
def make_captioner():
    return miniature_captioner


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(5)
    images = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    images[0, :, :48, :] = torch.randint(256, (3, 48, 64), generator=generator, dtype=torch.uint8)
    images[1, :, :, :40] = torch.randint(256, (3, 64, 40), generator=generator, dtype=torch.uint8)
    regions = [
        Regions(torch.tensor([[4.0, 4, 20, 22], [30, 8, 60, 40]]), torch.tensor([[1, 2, 3, 0], [4, 0, 0, 0]])),
        Regions(torch.tensor([[0.0, 10, 33, 34]]), torch.tensor([[5, 6, 7, 8]])),
    ]
    return Batch(images, [(48, 64), (64, 40)], regions, ["a", "b"], [(48, 64), (64, 40)])
