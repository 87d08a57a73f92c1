"""Recurrent decoders that see the image as their first input, whatever their cell."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from densecap.errors import UserError
from densecap.models.decoders.base import Decoder, State
from densecap.models.decoders.cells import Recurrence, RecurrentCell
from densecap.models.decoders.naming import naming_loss


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
        self.image_encoder = nn.Sequential(uniform_linear(feature_dim, embedding_dim, image_gain), nn.ReLU())
        self.embedding = nn.Embedding(vocabulary_size + 2, embedding_dim)
        self.cells = Recurrence(cells, hidden_dim, dropout)
        self.output = uniform_linear(hidden_dim, vocabulary_size + 1)

    def init_state(self, features: Tensor) -> State:
        image = self.image_encoder(features)  # (N, D)
        return self.cells.step(image, self.cells.start(image))[1]

    def hidden_step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        return self.cells.step(self.embedding(tokens), state)

    def hidden_states(self, features: Tensor, tokens: Tensor) -> Tensor:
        image = self.image_encoder(features)[:, None]  # (N, 1, D)
        words = self.embedding(self.inputs(tokens))  # (N, T + 1, D)
        sequence = torch.cat((image.to(words.dtype), words), dim=1)  # (N, T + 2, D)
        return self.cells.run(sequence)[:, 1:]  # (N, T + 1, H)

    def check_word_loss(self) -> None:
        """Errors: UserError when words and memory differ in width, so that no layer scores words from the region."""
        if self.output.in_features != self.embedding.embedding_dim:
            raise UserError(
                "task.weights.words needs equal model.decoder.embedding_dim and model.decoder.hidden_dim, "
                f"got {self.embedding.embedding_dim} and {self.output.in_features}"
            )

    def word_loss(self, features: Tensor, tokens: Tensor) -> Tensor:
        """``naming_loss`` of the scores that the output layer gives the encoded region itself.

        It has no parameters of its own. Words learn what they look like without the detour through the memory, which
        carries little of the region to the late words of a caption when training begins.
        """
        return naming_loss(self.output(self.image_encoder(features)), tokens)


def uniform_linear(in_dim: int, out_dim: int, gain: float = 1.0, bias: bool = True) -> nn.Linear:
    """Torch7's default start: weight and bias uniform within 1 / sqrt(in_dim), the weight times ``gain``."""
    layer = nn.Linear(in_dim, out_dim, bias=bias)
    bound = in_dim**-0.5
    nn.init.uniform_(layer.weight, -gain * bound, gain * bound)
    if bias:
        nn.init.uniform_(layer.bias, -bound, bound)
    return layer
