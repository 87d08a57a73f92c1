"""A causal transformer whose first token is the image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densecap.errors import UserError
from densecap.models.decoders.base import Decoder, State


class TransformerDecoder(Decoder):
    """Pre-norm blocks over [image, START, w1, ...] with learned positions, started as nanoGPT does.

    ``embedding_dim`` is the width of the model, ``hidden_dim`` that of the layer inside each block. The state holds the
    keys and values of the past, (N, layers, heads, t, head width). Captions longer than ``max_length`` words raise
    UserError.
    """

    def __init__(
        self,
        feature_dim: int,
        vocabulary_size: int,
        embedding_dim: int = 512,
        hidden_dim: int = 2048,
        num_layers: int = 3,
        num_heads: int = 8,
        dropout: float = 0.1,
        max_length: int = 64,
    ) -> None:
        super().__init__(feature_dim, vocabulary_size)
        if embedding_dim % num_heads:
            raise UserError(f"model.decoder.embedding_dim={embedding_dim} must be a multiple of num_heads={num_heads}")
        self.max_length = max_length
        self.image_encoder = nn.Linear(feature_dim, embedding_dim)
        self.embedding = nn.Embedding(vocabulary_size + 2, embedding_dim)
        self.position = nn.Parameter(torch.zeros(max_length + 2, embedding_dim))
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(embedding_dim, hidden_dim, num_heads, dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(embedding_dim)
        self.output = nn.Linear(embedding_dim, vocabulary_size + 1)
        self._initialize(num_layers)

    def init_state(self, features: Tensor) -> State:
        image = self.image_encoder(features)[:, None] + self.position[:1]  # (N, 1, D)
        return self._advance(image, {})[1]

    def hidden_step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        past = state["keys"].shape[3]
        self._check_length(past - 1)
        word = self.embedding(tokens)[:, None] + self.position[past]  # (N, 1, D)
        hidden, state = self._advance(word, state)
        return hidden[:, 0], state

    def hidden_states(self, features: Tensor, tokens: Tensor) -> Tensor:
        self._check_length(tokens.shape[1])
        image = self.image_encoder(features)[:, None]  # (N, 1, D)
        words = self.embedding(self.inputs(tokens))  # (N, T + 1, D)
        sequence = torch.cat((image.to(words.dtype), words), dim=1)  # (N, T + 2, D)
        x = self.dropout(sequence + self.position[: sequence.shape[1]])
        for block in self.blocks:
            x = block(x)[0]
        return self.norm(x[:, 1:])  # (N, T + 1, D)

    def _advance(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        x = self.dropout(x)
        keys, values = [], []
        for index, block in enumerate(self.blocks):
            past = (state["keys"][:, index], state["values"][:, index]) if state else None
            x, (key, value) = block(x, past)
            keys.append(key)
            values.append(value)
        return self.norm(x), {"keys": torch.stack(keys, dim=1), "values": torch.stack(values, dim=1)}

    def _check_length(self, length: int) -> None:
        if self.max_length is not None and length > self.max_length:
            raise UserError(
                f"a caption of {length} words is too long for model.decoder.max_length={self.max_length}: "
                "train with a larger one"
            )

    def _initialize(self, num_layers: int) -> None:
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() == 2:
                residual = name.endswith(("attention.output.weight", "contract.weight"))
                nn.init.normal_(parameter, std=0.02 / (2 * num_layers) ** 0.5 if residual else 0.02)


class Block(nn.Module):
    """Attention and a two-layer network, each behind a LayerNorm and added to its input."""

    def __init__(self, width: int, hidden_dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = CausalAttention(width, num_heads, dropout)
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, hidden_dim)
        self.contract = nn.Linear(hidden_dim, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        attended, present = self.attention(self.attention_norm(x), past)
        x = x + self.dropout(attended)
        return x + self.dropout(self.contract(F.gelu(self.expand(self.norm(x))))), present


class CausalAttention(nn.Module):
    """Multi-head attention of each position to itself and those before it."""

    def __init__(self, width: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.drop_rate = dropout
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(N, T, D), after ``past`` keys and values (N, heads, t, d) -> (N, T, D) and all keys and values.

        With a past, T must be 1: the one new position sees everything.
        """
        count, length, width = x.shape
        parts = self.query_key_value(x).view(count, length, 3, self.num_heads, width // self.num_heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (N, heads, T, d) each
        if past is not None:
            key, value = torch.cat((past[0], key), dim=2), torch.cat((past[1], value), dim=2)
        drop_rate = self.drop_rate if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=drop_rate, is_causal=past is None)
        return self.output(mixed.transpose(1, 2).reshape(count, length, width)), (key, value)
