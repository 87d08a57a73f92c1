"""The recognition network: two fully connected layers, a final score and a final box (DenseCap section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Recognition(nn.Module):
    """(N, C, P, P) region features to codes (N, ``out_dim``), objectness logits (N,) and box transforms (N, 4).

    fc6 and fc7 with ReLU and dropout, as in VGG-16; objectness starts at N(0, 0.01), the box branch at zero.
    """

    def __init__(self, channels: int, pool_size: int = 7, hidden_dim: int = 4096, dropout: float = 0.5) -> None:
        super().__init__()
        self.out_dim = hidden_dim
        self.fc6 = nn.Linear(channels * pool_size * pool_size, hidden_dim)
        self.fc7 = nn.Linear(hidden_dim, hidden_dim)
        self.dropout = nn.Dropout(dropout)
        self.objectness = nn.Linear(hidden_dim, 1)
        self.box = nn.Linear(hidden_dim, 4)
        for layer in (self.fc6, self.fc7):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        nn.init.normal_(self.objectness.weight, std=0.01)
        for parameter in (self.objectness.bias, self.box.weight, self.box.bias):
            nn.init.zeros_(parameter)

    def forward(self, regions: Tensor) -> Tensor:
        """Codes (N, F) of pooled regions."""
        codes = self.dropout(torch.relu(self.fc6(regions.flatten(1))))
        return self.dropout(torch.relu(self.fc7(codes)))

    def load_pretrained(self, weights: Mapping[str, Tensor]) -> bool:
        """Take fc6 and fc7 of a classifier when the shapes agree; says whether it did."""
        own = {
            f"{layer}.{name}": getattr(getattr(self, layer), name)
            for layer in ("fc6", "fc7")
            for name in ("weight", "bias")
        }
        if any(key not in weights or weights[key].shape != value.shape for key, value in own.items()):
            return False
        with torch.no_grad():
            for key, value in own.items():
                value.copy_(weights[key])
        return True
