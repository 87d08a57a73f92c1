"""Every backbone that has a yaml keeps the contract."""

import copy
import pickle

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.models import (
    AlexNet_Weights,
    MobileNet_V2_Weights,
    ResNet50_Weights,
    SqueezeNet1_1_Weights,
    VGG16_Weights,
)

from densecap.errors import UserError
from densecap.models.backbones.base import Backbone
from densecap.models.backbones.conv_small import ConvSmall
from tests.fakes.backbones import NAMES, photo


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_maps_agree_with_the_geometry(name, backbone_of):
    backbone = backbone_of(name).eval()
    assert isinstance(backbone, Backbone)
    strides = [level.stride for level in backbone.geometry]
    assert strides == sorted(strides)
    for height, width in ((97, 131), (128, 64), (160, 225)):
        maps = backbone(photo(height, width, count=2))
        assert len(maps) == len(backbone.geometry)
        for features, level in zip(maps, backbone.geometry):
            assert features.shape[:2] == (2, backbone.out_channels)
            for side, cells in zip((height, width), features.shape[2:]):
                last = level.offset + level.stride * (cells - 1)
                assert last < side + level.stride / 2, "no cell looks at what lies outside"
                assert last + 2 * level.stride > side - level.stride / 2, "the far border is seen"


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_bytes_and_floats_give_the_same(name, backbone_of):
    backbone, images = backbone_of(name).eval(), photo(97, 131, count=2)
    kept = images.clone()
    for first, second in zip(backbone(images), backbone(images.float())):
        torch.testing.assert_close(first, second)
    assert torch.equal(images, kept)
    alone = backbone(images[1:])
    scale = alone[0].std().item()
    torch.testing.assert_close(backbone(images)[0][1:], alone[0], atol=1e-3 * scale, rtol=1e-3)


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_features_of_whole_images(name, backbone_of):
    backbone = backbone_of(name).eval()
    features = backbone.image_features(photo(96, 96, count=2))
    assert features.shape == (2, backbone.feature_dim)
    assert (features[0] - features[1]).abs().max() > 0


@pytest.mark.parametrize("name", NAMES)
def test_batch_statistics_never_change(name, backbone_of):
    backbone = copy.deepcopy(backbone_of(name)).train()
    norms = [module for module in backbone.modules() if isinstance(module, _BatchNorm)]
    assert all(not norm.training for norm in norms)
    before = {key: value.clone() for key, value in backbone.named_buffers()}
    with torch.no_grad():
        trained = backbone(photo(64, 64))
        assert all(torch.equal(value, before[key]) for key, value in backbone.named_buffers())
        for one, other in zip(trained, backbone.eval()(photo(64, 64))):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_trained(name, backbone_of):
    backbone = copy.deepcopy(backbone_of(name))
    always = {id(p) for part in backbone.new_parts for p in part.parameters()}
    stem = {id(p) for part in backbone.stem for p in part.parameters()}
    backbone.set_trainable(False)
    assert {id(p) for p in backbone.parameters() if p.requires_grad} == always
    backbone.set_trainable(True)
    assert all(p.requires_grad for p in backbone.parameters()), "random weights are trained throughout"
    backbone.mark_pretrained()
    assert {id(p) for p in backbone.parameters() if not p.requires_grad} == stem
    assert not stem & always


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter(name, backbone_of):
    backbone = copy.deepcopy(backbone_of(name)).train()
    backbone.set_trainable(True)
    # A weighted sum, since a plain one would be blind to what normalisation takes away.
    torch.manual_seed(0)
    sum((features * torch.randn_like(features)).sum() for features in backbone(photo(96, 96))).backward()
    missing = [key for key, value in backbone.named_parameters() if value.grad is None or not value.grad.any()]
    unused = [key for key in missing if not key.startswith("network.")]  # timm keeps a few layers it does not use
    assert not unused


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_random_weights_give_sane_features(name, backbone_of):
    for features in backbone_of(name).eval()(photo(96, 96)):
        assert 0.05 < features.std() < 100


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_survives_copying_and_saving(name, backbone_of):
    backbone, images = backbone_of(name).eval(), photo(64, 64)
    (expected, *_) = backbone(images)
    torch.testing.assert_close(copy.deepcopy(backbone)(images)[0], expected)
    restored = pickle.loads(pickle.dumps(backbone))
    torch.testing.assert_close(restored(images)[0], expected)
    assert not any(key.startswith("_") for key in backbone.state_dict()), "preprocessing is not a weight"
    for parameter in restored.parameters():
        parameter.zero_()
    restored.load_state_dict(backbone.state_dict())
    torch.testing.assert_close(restored(images)[0], expected)


@torch.no_grad()
def test_normalization_and_compat(backbone_of):
    backbone = copy.deepcopy(backbone_of("conv_small"))
    pixel = torch.tensor([10.0, 20.0, 30.0]).view(1, 3, 1, 1)
    expected = [(10 - 123.675) / 58.395, (20 - 116.28) / 57.12, (30 - 103.53) / 57.375]
    assert backbone.normalize(pixel).flatten().tolist() == pytest.approx(expected)
    backbone.use_compat()
    expected = [30 - 103.939, 20 - 116.779, 10 - 123.68]
    assert backbone.normalize(pixel.to(torch.uint8)).flatten().tolist() == pytest.approx(expected, abs=1e-4)
    with pytest.raises(UserError, match="imagenet or caffe_bgr"):
        ConvSmall(normalization="zero_one")


@pytest.mark.parametrize(
    "published",
    [
        VGG16_Weights.IMAGENET1K_V1,
        ResNet50_Weights.IMAGENET1K_V1,
        MobileNet_V2_Weights.IMAGENET1K_V1,
        SqueezeNet1_1_Weights.IMAGENET1K_V1,
        AlexNet_Weights.IMAGENET1K_V1,
    ],
)
def test_normalization_is_what_the_published_weights_ask_for(published, backbone_of):
    transforms = published.transforms()
    image = torch.rand(1, 3, 1, 1)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (transforms.mean, transforms.std))
    torch.testing.assert_close(backbone_of("conv_small").normalize(255 * image), (image - mean) / std)
