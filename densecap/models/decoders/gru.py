"""The image-first decoder with gated recurrent units: a quarter fewer weights than the LSTM."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densecap.models.decoders.cells import RecurrentCell, recurrent_weights
from densecap.models.decoders.recurrent import ImageFirstDecoder


class GRUCell(RecurrentCell):
    """PyTorch's GRU, gate order reset, update, candidate; the candidate has a second bias inside its reset gate."""

    memories = ("hidden",)

    def __init__(self, input_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.weight_ih, self.weight_hh = recurrent_weights(input_dim, hidden_dim, num_gates=3)
        self.bias = nn.Parameter(torch.zeros(3 * hidden_dim))
        self.candidate_bias = nn.Parameter(torch.zeros(hidden_dim))

    def project(self, inputs: Tensor) -> Tensor:
        return F.linear(inputs, self.weight_ih, self.bias)

    def advance(self, gates: Tensor, memory: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (hidden,) = memory
        reset, update, candidate = gates.chunk(3, dim=1)
        from_reset, from_update, from_candidate = F.linear(hidden, self.weight_hh).chunk(3, dim=1)
        reset = (reset + from_reset).sigmoid()
        update = (update + from_update).sigmoid()
        candidate = (candidate + reset * (from_candidate + self.candidate_bias)).tanh()
        return (candidate + update * (hidden - candidate),)


class GRUDecoder(ImageFirstDecoder):
    """As ``LSTMDecoder``, with GRU cells."""

    def __init__(
        self,
        feature_dim: int,
        vocabulary_size: int,
        embedding_dim: int = 512,
        hidden_dim: int = 512,
        num_layers: int = 1,
        dropout: float = 0.0,
        image_gain: float = 1.0,
    ) -> None:
        cells = [GRUCell(hidden_dim if index else embedding_dim, hidden_dim) for index in range(num_layers)]
        super().__init__(feature_dim, vocabulary_size, embedding_dim, hidden_dim, list(cells), dropout, image_gain)
