"""Words going in and coming out of the m-RNN decoders.

START is only ever read and END only ever said, so one row stands for both, row 0, as ``<bos>`` does in the 2016
release. Tables thus have V rows where V = len(vocabulary) + 1, the number of classes.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from densecap.models.decoders.activations import activation_of
from densecap.models.decoders.recurrent import uniform_linear
from densecap.text.vocabulary import END


class WordReader(nn.Module):
    """Token ids to words: embedding I, a table, and by choice embedding II, a linear layer on it.

    ``second_dim`` is the width of embedding II, or None for none. The table starts from N(0, 1); where the output layer
    shares it, from N(0, 1 / sqrt(embedding_dim)), so that scores start small.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        second_dim: int | None = None,
        activation: str = "none",
        dropout: float = 0.0,
        shared: bool = False,
    ) -> None:
        super().__init__()
        self.start = vocabulary_size + 1
        self.embedding = nn.Embedding(vocabulary_size + 1, embedding_dim)
        if shared:
            nn.init.normal_(self.embedding.weight, std=embedding_dim**-0.5)
        self.second = None if second_dim is None else uniform_linear(embedding_dim, second_dim)
        self.activation = activation_of(activation, "embedding_activation")
        self.dropout = nn.Dropout(dropout)
        #: Width of the words that come out.
        self.width = embedding_dim if second_dim is None else second_dim

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """(...) int64 -> embedding I (..., D) and embedding II (..., W), the same where there is one embedding."""
        first = self.dropout(self.activation(self.embedding(tokens.masked_fill(tokens == self.start, END))))
        if self.second is None:
            return first, first
        return first, self.dropout(self.activation(self.second(first)))


class SharedOutput(nn.Module):
    """Transposed weight sharing (arXiv 1504.06692): y = E^T ReLU(U m + b_U) + b, where E is the embedding.

    E belongs to the reader of words and appears once among parameters and in checkpoints.
    """

    def __init__(self, in_dim: int, embedding: nn.Embedding) -> None:
        super().__init__()
        self.to_word = uniform_linear(in_dim, embedding.embedding_dim)
        self.bias = nn.Parameter(embedding.weight.new_zeros(embedding.num_embeddings))
        self._shared = [embedding]  # inside a list: no module of this one

    def forward(self, hidden: Tensor) -> Tensor:
        """(..., H) -> scores (..., V)."""
        return F.linear(self.to_embedding(hidden), self.weight, self.bias)

    def to_embedding(self, hidden: Tensor) -> Tensor:
        """(..., H) -> what is compared with the embedding of every word (..., D)."""
        return F.relu(self.to_word(hidden))

    @property
    def weight(self) -> Tensor:
        """The embedding (V, D)."""
        return self._shared[0].weight


def make_output(in_dim: int, words: WordReader, shared: bool) -> nn.Module:
    """The layer of scores: the words' own table turned around, or one of its own."""
    return SharedOutput(in_dim, words.embedding) if shared else uniform_linear(in_dim, words.embedding.num_embeddings)
