"""Recurrent cells in layers, over one step or over whole captions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densecap.models.decoders.base import State


class RecurrentCell(nn.Module):
    """One layer's recurrence, split so that the share of the inputs is computed for all steps at once.

    ``memories`` names the tensors (N, H) it carries from step to step; the first is its output.
    """

    memories: tuple[str, ...]

    def project(self, inputs: Tensor) -> Tensor:
        """(..., D) -> (..., G): what the inputs contribute to the gates."""
        raise NotImplementedError

    def advance(self, gates: Tensor, memory: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Gates (N, G) of one step and the memory -> the next memory."""
        raise NotImplementedError


class Recurrence(nn.ModuleList):
    """Cells of one kind and ``hidden_dim``, from the words upwards; ``dropout`` follows every layer.

    Its state has a tensor (N, layers, H) for each memory of the cells.
    """

    def __init__(self, cells: Sequence[RecurrentCell], hidden_dim: int, dropout: float = 0.0) -> None:
        super().__init__(cells)
        self.hidden_dim = hidden_dim
        self.dropout = dropout

    @property
    def layers(self) -> list[RecurrentCell]:
        return [cell for cell in self if isinstance(cell, RecurrentCell)]

    @property
    def memories(self) -> tuple[str, ...]:
        return self.layers[0].memories

    def start(self, rows: Tensor) -> State:
        """The empty memory of as many sequences as ``rows`` has, on its device and of its type."""
        shape = (rows.shape[0], len(self), self.hidden_dim)
        return {name: rows.new_zeros(shape) for name in self.memories}

    def step(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Inputs (N, D) and the state, which may hold more -> outputs (N, H) and the new memories alone."""
        memories = []
        for index, cell in enumerate(self.layers):
            memory = tuple(state[name][:, index] for name in cell.memories)
            memory = cell.advance(cell.project(inputs), memory)
            inputs = self._drop(memory[0])
            memories.append(memory)
        return inputs, {name: torch.stack(parts, dim=1) for name, parts in zip(self.memories, zip(*memories))}

    def run(self, inputs: Tensor, state: State | None = None) -> Tensor:
        """Inputs (N, T, D) of all steps, T at least 1 -> outputs (N, T, H), from the state or an empty memory."""
        sequence = inputs.transpose(0, 1)  # (T, N, D)
        for index, cell in enumerate(self.layers):
            gates = cell.project(sequence)  # (T, N, G)
            if state is None:
                memory = tuple(gates.new_zeros(gates.shape[1], self.hidden_dim) for _ in cell.memories)
            else:
                memory = tuple(state[name][:, index] for name in cell.memories)
            sequence = self._drop(_outputs(cell, gates, memory))
        return sequence.transpose(0, 1)  # (N, T, H)

    def _drop(self, outputs: Tensor) -> Tensor:
        return F.dropout(outputs, self.dropout, self.training)


def _outputs(cell: RecurrentCell, gates: Tensor, memory: tuple[Tensor, ...]) -> Tensor:
    """Gates (T, N, G), time first -> outputs (T, N, H)."""
    outputs = []
    for step in gates.unbind(0):
        memory = cell.advance(step, memory)
        outputs.append(memory[0])
    return torch.stack(outputs)


def recurrent_weights(embedding_dim: int, hidden_dim: int, num_gates: int) -> tuple[nn.Parameter, nn.Parameter]:
    """Weights (G, D) of the inputs and (G, H) of the memory, both from N(0, 1 / sqrt(D + H)) as in torch-rnn."""
    std = (embedding_dim + hidden_dim) ** -0.5
    rows = num_gates * hidden_dim
    return (
        nn.Parameter(torch.randn(rows, embedding_dim) * std),
        nn.Parameter(torch.randn(rows, hidden_dim) * std),
    )
