"""The image as the recurrence's first memory, seen once: the `init` form of the 2016 release of m-RNN."""

from __future__ import annotations

from torch import Tensor, nn

from densecap.models.decoders.base import Decoder, State
from densecap.models.decoders.recurrent import uniform_linear
from densecap.models.decoders.tf_cells import make_recurrence
from densecap.models.decoders.words import WordReader, make_output


class InitDecoder(Decoder):
    """h(0) = ReLU(W v + b) for all memories of all layers, then words; the output reads the recurrence alone. A ReLU
    cell gets embedding II where its width is not ``embedding_dim``.

    With F = 2048, the settings of mrnn_init.yaml and V = len(vocabulary) + 1 = 13,691 it has 14,368,123 parameters,
    those of the released configuration.
    """

    def __init__(
        self,
        feature_dim: int,
        vocabulary_size: int,
        embedding_dim: int = 512,
        hidden_dim: int = 1024,
        cell: str = "gru",
        num_layers: int = 1,
        share_embedding: bool = True,
        embedding_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__(feature_dim, vocabulary_size)
        second = hidden_dim if cell == "relu" and embedding_dim != hidden_dim else None
        self.words = WordReader(
            vocabulary_size, embedding_dim, second, dropout=embedding_dropout, shared=share_embedding
        )
        self.cells = make_recurrence(cell, self.words.width, hidden_dim, num_layers, recurrent_dropout)
        self.image_encoder = nn.Sequential(
            uniform_linear(feature_dim, len(self.cells.memories) * num_layers * hidden_dim), nn.ReLU()
        )
        self.output = make_output(hidden_dim, self.words, share_embedding)

    def init_state(self, features: Tensor) -> State:
        names = self.cells.memories
        shape = (features.shape[0], len(names), len(self.cells), self.cells.hidden_dim)
        memories = self.image_encoder(features).view(shape)
        return dict(zip(names, memories.unbind(1)))  # (N, layers, H) each

    def hidden_step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        return self.cells.step(self.words(tokens)[1], state)

    def hidden_states(self, features: Tensor, tokens: Tensor) -> Tensor:
        words = self.words(self.inputs(tokens))[1]  # (N, T + 1, W)
        return self.cells.run(words, self.init_state(features))  # (N, T + 1, H)
