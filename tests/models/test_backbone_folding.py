"""Folding batch normalisation into convolutions changes nothing but speed."""

import copy

import pytest
import torch
from torch import nn

from densecap.models.backbones.folding import ConvNorm, fold_batch_norms


@pytest.mark.parametrize("bias", [False, True])
def test_folding_changes_nothing_but_speed(bias):
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1, groups=2, bias=bias), nn.BatchNorm2d(6), nn.ReLU()).eval()
    layers[1].running_mean.normal_()
    layers[1].running_var.uniform_(0.1, 2)
    nn.init.normal_(layers[1].weight), nn.init.normal_(layers[1].bias)
    folded = fold_batch_norms(copy.deepcopy(layers))
    assert isinstance(folded[0], ConvNorm)
    images = torch.randn(2, 4, 9, 9)
    for network in (layers, folded):
        network(images).square().sum().backward()
    torch.testing.assert_close(folded(images), layers(images), atol=1e-5, rtol=1e-5)
    for one, other in ((folded[0].conv.weight, layers[0].weight), (folded[0].norm.weight, layers[1].weight)):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-3, rtol=1e-3)


def test_folded_weights_follow_their_sources():
    torch.manual_seed(0)
    layer = ConvNorm(nn.Conv2d(2, 3, 1, bias=False), nn.BatchNorm2d(3).eval())
    images = torch.randn(1, 2, 4, 4)

    def agree():
        with torch.no_grad():
            torch.testing.assert_close(layer(images), layer.norm(layer.conv(images)), atol=1e-5, rtol=1e-5)

    with torch.inference_mode():
        layer(images)
    agree()
    torch.optim.SGD(layer.parameters(), lr=1.0).step(lambda: layer(images).sum().backward())
    agree()
    layer.load_state_dict({key: value + 1 for key, value in layer.state_dict().items()})
    agree()
    layer.double()
    images = images.double()
    agree()
    layer.requires_grad_(False)
    images.requires_grad_()
    with torch.inference_mode():
        layer(images)
    layer(images).sum().backward()  # what was remembered in inference mode must not break a later gradient
    assert images.grad is not None
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert layer.float()(images.float()).dtype == torch.bfloat16
