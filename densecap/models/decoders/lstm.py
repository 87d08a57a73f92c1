"""DenseCap's language model: an LSTM that sees the region first, then START and the words."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densecap.models.decoders.cells import RecurrentCell, recurrent_weights
from densecap.models.decoders.recurrent import ImageFirstDecoder


class LSTMCell(RecurrentCell):
    """torch-rnn's LSTM with PyTorch's gate order (input, forget, cell, output) and a single bias.

    ``forget_bias`` is where that of the forget gate starts; 1 in torch-rnn.
    """

    memories = ("hidden", "cell")

    def __init__(self, input_dim: int, hidden_dim: int, forget_bias: float = 1.0) -> None:
        super().__init__()
        self.weight_ih, self.weight_hh = recurrent_weights(input_dim, hidden_dim, num_gates=4)
        self.bias = nn.Parameter(torch.zeros(4 * hidden_dim))
        with torch.no_grad():
            self.bias[hidden_dim : 2 * hidden_dim] = forget_bias

    def project(self, inputs: Tensor) -> Tensor:
        return F.linear(inputs, self.weight_ih, self.bias)

    def advance(self, gates: Tensor, memory: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        hidden, cell = memory
        gates = gates + F.linear(hidden, self.weight_hh)  # (N, 4H)
        write, keep, candidate, read = gates.chunk(4, dim=1)
        cell = keep.sigmoid() * cell + write.sigmoid() * candidate.tanh()
        return read.sigmoid() * cell.tanh(), cell


class LSTMDecoder(ImageFirstDecoder):
    """Parameters, with F = 4096 and the defaults: image encoder 2,097,664, LSTM 2,099,200, embedding 512 (V + 2),
    output 513 (V + 1). With a ``forget_bias`` of 3 the region is still remembered at the end of a caption when training
    begins (.95 to the power of its words, where 1 leaves .73)."""

    def __init__(
        self,
        feature_dim: int,
        vocabulary_size: int,
        embedding_dim: int = 512,
        hidden_dim: int = 512,
        num_layers: int = 1,
        dropout: float = 0.0,
        image_gain: float = 1.0,
        forget_bias: float = 1.0,
    ) -> None:
        widths = [embedding_dim, *[hidden_dim] * (num_layers - 1)]
        cells = [LSTMCell(width, hidden_dim, forget_bias) for width in widths]
        super().__init__(feature_dim, vocabulary_size, embedding_dim, hidden_dim, list(cells), dropout, image_gain)
