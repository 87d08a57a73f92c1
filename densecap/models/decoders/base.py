"""What every decoder promises: a caption is generated from a feature vector, one word a step."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densecap.errors import UserError
from densecap.ops.cross_entropy import cross_entropy_in_place
from densecap.text.vocabulary import END

#: Everything a decoder remembers between two steps; every tensor has the N sequences as its first dimension.
State = dict[str, Tensor]

#: Target of the positions after END, which count in no loss.
IGNORED = -100


class Decoder(nn.Module):
    """Turns features (N, F) into scores of the next word, V words and END.

    Contract: ``init_state(features)`` and then ``step(tokens, state)`` with START, w1, w2, ...; ``forward`` gives the
    same scores for whole captions at once. N may be 0. Token ids are those of ``densecap.text.vocabulary``: 0 is END
    and padding, 1..V are words, V + 1 is START.

    A subclass implements ``init_state``, ``hidden_step`` and ``hidden_states`` and sets ``output``, the layer from a
    hidden vector to the V + 1 scores. Keeping that layer apart lets ``loss`` skip it where nothing is asked.
    """

    #: Layer from a hidden vector to V + 1 scores.
    output: nn.Module

    #: Whether the recurrence runs without the image: ``text_states``, ``image_states``, ``fuse`` and ``refined`` then
    #: exist, and many images share one run over a caption.
    late_fusion: bool = False

    def __init__(self, feature_dim: int, vocabulary_size: int) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        self.vocabulary_size = vocabulary_size
        self.start = vocabulary_size + 1
        #: The longest caption in words this decoder can read or write, or None for any.
        self.max_length: int | None = None

    def init_state(self, features: Tensor) -> State:
        """(N, F) -> the state before START; every tensor is batch-first."""
        raise NotImplementedError

    def hidden_step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """(N,) int64 and the state -> hidden vectors (N, H) and the next state; the given state is left as it was."""
        raise NotImplementedError

    def hidden_states(self, features: Tensor, tokens: Tensor) -> Tensor:
        """(N, F) and (N, T) -> the hidden vectors (N, T + 1, H) of all steps, in one go."""
        raise NotImplementedError

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """(N,) int64 and the state -> scores (N, V + 1) of the next word (unnormalised) and the next state."""
        hidden, state = self.hidden_step(tokens, state)
        return self.output(hidden), state

    def forward(self, features: Tensor, tokens: Tensor) -> Tensor:
        """(N, F) and (N, T) padded with 0 -> scores (N, T + 1, V + 1) after START, w1, ..., wT."""
        return self.output(self.hidden_states(features, tokens))

    def loss(self, features: Tensor, tokens: Tensor) -> Tensor:
        """(N, F) and (N, T) -> cross-entropy (N,), summed over the words and END of each caption.

        Steps that no caption reaches are not run, and words are scored only at the positions that count.
        """
        longest = int((tokens != END).sum(dim=1).max()) if tokens.numel() else 0
        tokens = tokens[:, :longest]
        targets = caption_targets(tokens)  # (N, T + 1)
        hidden = self.hidden_states(features, tokens)  # (N, T + 1, H)
        caption, position = torch.nonzero(targets != IGNORED, as_tuple=True)  # (M,), (M,)
        scores = self.output(hidden[caption, position]).float()  # (M, V + 1)
        losses = cross_entropy_in_place(scores, targets[caption, position])  # (M,)
        return losses.new_zeros(tokens.shape[0]).index_add(0, caption, losses)

    def check_word_loss(self) -> None:
        """Errors: UserError when this decoder has no ``word_loss``."""
        raise UserError(
            f"{type(self).__name__} cannot learn to name words from the region alone (task.weights.words); choose "
            "model/decoder=lstm, gru or mrnn, or task.weights.words=0"
        )

    def word_loss(self, features: Tensor, tokens: Tensor) -> Tensor:
        """(N, F) and (N, T) -> (N,) how badly the features alone, before any word, name the words of each caption."""
        raise NotImplementedError

    def text_states(self, tokens: Tensor) -> Tensor:
        """(N, T) -> (N, T + 1, M): the text before the image joins it, after START, w1, ..., wT.

        Errors: UserError, as of the three methods below, unless ``late_fusion``.
        """
        self._check_late_fusion()
        raise NotImplementedError

    def image_states(self, features: Tensor) -> Tensor:
        """(N, F) -> (N, M): the image before it joins the text."""
        self._check_late_fusion()
        raise NotImplementedError

    def fuse(self, text: Tensor, image: Tensor) -> Tensor:
        """(..., M) and (..., M), broadcast -> what ``output`` reads (..., H).

        ``hidden_states(features, tokens)`` is ``fuse(text_states(tokens), image_states(features)[:, None])``.
        """
        self._check_late_fusion()
        raise NotImplementedError

    def refined(self, features: Tensor) -> Tensor:
        """(N, F) -> (N, M): the image side through its activation, the refined image features of m-RNN."""
        self._check_late_fusion()
        raise NotImplementedError

    def _check_late_fusion(self) -> None:
        if not self.late_fusion:
            raise UserError(
                f"the recurrence of this {type(self).__name__} sees the image, so text and image have no states apart: "
                "choose model/decoder=mrnn or mrnn_tf with model.decoder.image_input=multimodal"
            )

    def inputs(self, tokens: Tensor) -> Tensor:
        """(N, T) -> (N, T + 1): START, w1, ..., wT, what each step reads."""
        return torch.cat((tokens.new_full((tokens.shape[0], 1), self.start), tokens), dim=1)


def caption_targets(tokens: Tensor) -> Tensor:
    """(N, T) padded with 0 -> (N, T + 1): w1, ..., wk, END, then IGNORED; what each step should say."""
    ended = F.pad(tokens, (0, 1), value=END)  # (N, T + 1)
    after_end = (ended == END).cumsum(dim=1) > 1
    return ended.masked_fill(after_end, IGNORED)
