"""The cells an m-RNN may have: the paper's ReLU, and GRU and LSTM as TensorFlow has them, as in the 2016 release."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densecap.errors import UserError
from densecap.models.decoders.cells import Recurrence, RecurrentCell, recurrent_weights


class ReLUCell(RecurrentCell):
    """r(t) = ReLU(U_r r(t-1) + w(t)): inputs of width H are added as they are, and there is no bias.

    U_r starts as the identity, which neither loses nor blows up what was said (Le, Jaitly and Hinton,
    arXiv 1504.00941).
    """

    memories = ("hidden",)

    def __init__(self, hidden_dim: int) -> None:
        super().__init__()
        self.weight_hh = nn.Parameter(torch.eye(hidden_dim))

    def project(self, inputs: Tensor) -> Tensor:
        return inputs

    def advance(self, gates: Tensor, memory: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (torch.addmm(gates, memory[0], self.weight_hh.t()).relu(),)


class TensorFlowGRUCell(RecurrentCell):
    """Gate order reset, update, candidate; one bias. The memory is reset before its product with the candidate's
    weights (PyTorch resets the product). The gates' biases start at 1, so that memory first is kept."""

    memories = ("hidden",)

    def __init__(self, input_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.widths = (2 * hidden_dim, hidden_dim)  # of the two gates, and of the candidate
        self.weight_ih, self.weight_hh = recurrent_weights(input_dim, hidden_dim, num_gates=3)
        self.bias = nn.Parameter(torch.cat((torch.ones(2 * hidden_dim), torch.zeros(hidden_dim))))

    def project(self, inputs: Tensor) -> Tensor:
        return F.linear(inputs, self.weight_ih, self.bias)

    def advance(self, gates: Tensor, memory: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (hidden,) = memory
        gates, candidate = gates.split(self.widths, dim=1)
        of_gates, of_candidate = self.weight_hh.split(self.widths)
        reset, update = (gates + F.linear(hidden, of_gates)).sigmoid().chunk(2, dim=1)
        candidate = (candidate + F.linear(reset * hidden, of_candidate)).tanh()
        return (candidate + update * (hidden - candidate),)


class PeepholeLSTMCell(RecurrentCell):
    """Gate order input, forget, cell, output; one bias. The input and forget gates also see the last content of the
    cell and the output gate the new one, each unit its own ("peepholes", which start at 0). The forget gate's bias
    starts at 1."""

    memories = ("hidden", "cell")

    def __init__(self, input_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.weight_ih, self.weight_hh = recurrent_weights(input_dim, hidden_dim, num_gates=4)
        self.bias = nn.Parameter(torch.zeros(4 * hidden_dim))
        self.peepholes = nn.Parameter(torch.zeros(3, hidden_dim))  # of the gates input, forget, output
        with torch.no_grad():
            self.bias[hidden_dim : 2 * hidden_dim] = 1

    def project(self, inputs: Tensor) -> Tensor:
        return F.linear(inputs, self.weight_ih, self.bias)

    def advance(self, gates: Tensor, memory: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        hidden, cell = memory
        write, keep, candidate, read = (gates + F.linear(hidden, self.weight_hh)).chunk(4, dim=1)
        to_write, to_keep, to_read = self.peepholes.unbind(0)
        kept = (keep + to_keep * cell).sigmoid() * cell
        cell = kept + (write + to_write * cell).sigmoid() * candidate.tanh()
        return (read + to_read * cell).sigmoid() * cell.tanh(), cell


def make_recurrence(kind: str, input_dim: int, hidden_dim: int, num_layers: int, dropout: float) -> Recurrence:
    """Layers of ``relu``, ``gru`` or ``lstm`` cells.

    Errors: UserError for another kind, and where a ReLU cell cannot add its inputs to its memory.
    """
    gated = {"gru": TensorFlowGRUCell, "lstm": PeepholeLSTMCell}
    if kind != "relu" and kind not in gated:
        raise UserError(f"model.decoder.cell={kind} is none of relu, gru and lstm")
    if kind == "relu" and input_dim != hidden_dim:
        raise UserError(
            f"model.decoder.cell=relu adds words of width {input_dim} to a memory of width {hidden_dim}: make "
            "model.decoder.embedding_dim and hidden_dim equal, or set model.decoder.second_embedding=true"
        )
    widths = [input_dim, *[hidden_dim] * (num_layers - 1)]
    cells = [ReLUCell(hidden_dim) if kind == "relu" else gated[kind](width, hidden_dim) for width in widths]
    return Recurrence(cells, hidden_dim, dropout)
