"""Recurrent decoders that see the image as their first input, whatever their cell."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from densecap.errors import UserError
from densecap.models.decoders.base import Decoder, State
from densecap.text.vocabulary import END


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


class ImageFirstDecoder(Decoder):
    """Features go through a linear layer and ReLU, are fed as the first word, and that step's output is discarded.

    ``cells`` are the layers, from the words upwards. Dropout follows every layer. Embedding: V + 2 rows from N(0, 1).
    ``image_gain`` scales the image encoder's start: above 1 the decoder looks at the image earlier in training.
    """

    output: nn.Linear

    def __init__(
        self,
        feature_dim: int,
        vocabulary_size: int,
        embedding_dim: int,
        hidden_dim: int,
        cells: list[RecurrentCell],
        dropout: float,
        image_gain: float = 1.0,
    ) -> None:
        super().__init__(feature_dim, vocabulary_size)
        self.hidden_dim = hidden_dim
        self.image_encoder = nn.Sequential(uniform_linear(feature_dim, embedding_dim, image_gain), nn.ReLU())
        self.embedding = nn.Embedding(vocabulary_size + 2, embedding_dim)
        self.cells = nn.ModuleList(cells)
        self.dropout = nn.Dropout(dropout)
        self.output = uniform_linear(hidden_dim, vocabulary_size + 1)

    @property
    def layers(self) -> list[RecurrentCell]:
        return [cell for cell in self.cells if isinstance(cell, RecurrentCell)]

    def init_state(self, features: Tensor) -> State:
        image = self.image_encoder(features)  # (N, D)
        layers = self.layers
        shape = (features.shape[0], len(layers), self.hidden_dim)
        state = {name: image.new_zeros(shape) for name in layers[0].memories}
        return self._advance(image, state)[1]

    def hidden_step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        return self._advance(self.embedding(tokens), state)

    def hidden_states(self, features: Tensor, tokens: Tensor) -> Tensor:
        image = self.image_encoder(features)[:, None]  # (N, 1, D)
        words = self.embedding(self.inputs(tokens))  # (N, T + 1, D)
        sequence = torch.cat((image.to(words.dtype), words), dim=1).transpose(0, 1)  # (T + 2, N, D)
        for cell in self.layers:
            sequence = self.dropout(_run(cell, sequence, self.hidden_dim))  # (T + 2, N, H)
        return sequence[1:].transpose(0, 1)  # (N, T + 1, H)

    def check_word_loss(self) -> None:
        """Errors: UserError when words and memory differ in width, so that no layer scores words from the region."""
        if self.output.in_features != self.embedding.embedding_dim:
            raise UserError(
                "task.weights.words needs equal model.decoder.embedding_dim and model.decoder.hidden_dim, "
                f"got {self.embedding.embedding_dim} and {self.output.in_features}"
            )

    def word_loss(self, features: Tensor, tokens: Tensor) -> Tensor:
        """Cross-entropy (N,) between the caption's distinct words, each equally likely, and the scores that the output
        layer gives the encoded region itself; 0 for an empty caption.

        It has no parameters of its own. Words learn what they look like without the detour through the memory, which
        carries little of the region to the late words of a caption when training begins. After the word detectors of
        Fang et al., From Captions to Visual Concepts and Back (CVPR 2015).
        """
        scores = self.output(self.image_encoder(features)).float()  # (N, V + 1)
        present = torch.zeros_like(scores).scatter(1, tokens, 1.0)  # (N, V + 1)
        present[:, END] = 0
        share = present / present.sum(dim=1, keepdim=True).clamp(min=1)
        return -(scores.log_softmax(dim=1) * share).sum(dim=1)

    def _advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        memories, cells = [], self.layers
        for index, cell in enumerate(cells):
            memory = tuple(state[name][:, index] for name in cell.memories)
            memory = cell.advance(cell.project(inputs), memory)
            inputs = self.dropout(memory[0])
            memories.append(memory)
        return inputs, {name: torch.stack(parts, dim=1) for name, parts in zip(cells[0].memories, zip(*memories))}


def _run(cell: RecurrentCell, sequence: Tensor, hidden_dim: int) -> Tensor:
    """Inputs (T, N, D), time first -> outputs (T, N, H) from a zero memory."""
    gates = cell.project(sequence)  # (T, N, G)
    memory = tuple(gates.new_zeros(gates.shape[1], hidden_dim) for _ in cell.memories)
    outputs = []
    for step in gates.unbind(0):
        memory = cell.advance(step, memory)
        outputs.append(memory[0])
    return torch.stack(outputs)


def uniform_linear(in_dim: int, out_dim: int, gain: float = 1.0) -> nn.Linear:
    """Torch7's default start: weight and bias uniform within 1 / sqrt(in_dim), the weight times ``gain``."""
    layer = nn.Linear(in_dim, out_dim)
    bound = in_dim**-0.5
    nn.init.uniform_(layer.weight, -gain * bound, gain * bound)
    nn.init.uniform_(layer.bias, -bound, bound)
    return layer


def recurrent_weights(embedding_dim: int, hidden_dim: int, num_gates: int) -> tuple[nn.Parameter, nn.Parameter]:
    """Weights (G, D) of the inputs and (G, H) of the memory, both from N(0, 1 / sqrt(D + H)) as in torch-rnn."""
    std = (embedding_dim + hidden_dim) ** -0.5
    rows = num_gates * hidden_dim
    return (
        nn.Parameter(torch.randn(rows, embedding_dim) * std),
        nn.Parameter(torch.randn(rows, hidden_dim) * std),
    )
