"""Starting values of a network that is trained from nothing."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def initialize_from_scratch(network: nn.Module) -> None:
    """He's initialisation of convolutions, N(0, 0.01) of linear layers, then batch statistics of natural-looking noise.

    Batch normalisation keeps its running statistics for good here (see ``Backbone``). Left at mean 0 and variance 1
    they would let the activations of a deep residual network explode, so they are measured once.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")  # fan_in, right for grouped convolutions too
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    settle_batch_norms(network)


def settle_batch_norms(network: nn.Module) -> None:
    """Set the running statistics of every BatchNorm to those of a batch of noise; the global random state is kept."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    was_training = network.training
    for norm in norms:
        norm.momentum = 1.0
    network.train()
    with torch.no_grad():
        network(natural_noise(4, 128))
    network.train(was_training)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum


def natural_noise(count: int, size: int) -> Tensor:
    """(count, 3, size, size) noise of unit variance, from nearly white to, as photos are, mostly low frequencies."""
    generator = torch.Generator().manual_seed(0)
    image = torch.zeros(count, 3, size, size)
    for octave, side in enumerate((size, 64, 32, 16, 8, 4, 2)):
        coarse = torch.randn(count, 3, side, side, generator=generator)
        smooth = F.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=False)
        weight = torch.linspace(0, 1.2, count)[:, None, None, None] ** octave  # image 0 is white
        image += weight * smooth
    return image / image.std(dim=(1, 2, 3), keepdim=True)
