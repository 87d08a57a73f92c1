"""The multimodal recurrent network, m-RNN (Mao et al., arXiv 1412.6632), its 2016 release and its ablations."""

from __future__ import annotations

from torch import Tensor, nn

from densecap.errors import UserError
from densecap.models.decoders.activations import activation_of
from densecap.models.decoders.base import Decoder, State
from densecap.models.decoders.naming import naming_loss
from densecap.models.decoders.recurrent import uniform_linear
from densecap.models.decoders.tf_cells import make_recurrence
from densecap.models.decoders.words import WordReader, make_output

WORD_INPUTS = ("second", "first", "none")
IMAGE_INPUTS = ("multimodal", "recurrent", "both", "both_shared")


class MRNNDecoder(Decoder):
    """w = E2 E1 x, r = ReLU(U_r r + w), m = g2(V_w w + V_r r + V_I I), y = softmax(S m + b); I enters at every step.

    ``word_input``    what the multimodal layer sees of the word: embedding II, embedding I, or nothing
    ``image_input``   which layers see the image: multimodal, the recurrent one (added to the word), both with
                      projections of their own, or both with one projection; the widths of the two layers differ, and
                      the multimodal layer reaches the shared projection through a further linear layer
    ``activate``      "sum": the activation follows the sum, as in the paper; "branches": it comes before it, on the
                      text and on the image, as in the release

    Biases are those of embedding II, of the multimodal layer (one, with V_r) and of the scores. With F = 4096, the
    defaults and V = len(vocabulary) + 1 there are 641 V + 2,458,368 parameters (see ``words`` about V); in the form of
    mrnn_tf.yaml and V = 13,691 there are 43,404,667 with F = 2048 and 47,598,971 with F = 4096.

    Unless the recurrence sees the image it runs without it (``late_fusion``).
    """

    def __init__(
        self,
        feature_dim: int,
        vocabulary_size: int,
        embedding_dim: int = 128,
        second_embedding: bool = True,
        hidden_dim: int = 256,
        multimodal_dim: int = 512,
        cell: str = "relu",
        num_layers: int = 1,
        word_input: str = "second",
        image_input: str = "multimodal",
        activation: str = "scaled_tanh",
        activate: str = "sum",
        embedding_activation: str = "none",
        share_embedding: bool = False,
        embedding_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        multimodal_dropout: float = 0.0,
    ) -> None:
        super().__init__(feature_dim, vocabulary_size)
        self.word_input = _one_of("word_input", word_input, WORD_INPUTS)
        self.image_input = _one_of("image_input", image_input, IMAGE_INPUTS)
        self.branches = _one_of("activate", activate, ("sum", "branches")) == "branches"
        self.activation = activation_of(activation, "activation")
        self.late_fusion = image_input == "multimodal"
        second = hidden_dim if second_embedding else None
        self.words = WordReader(
            vocabulary_size, embedding_dim, second, embedding_activation, embedding_dropout, share_embedding
        )
        self.cells = make_recurrence(cell, self.words.width, hidden_dim, num_layers, recurrent_dropout)
        self.memory_to_multimodal = uniform_linear(hidden_dim, multimodal_dim)
        width = {"none": None, "first": embedding_dim, "second": self.words.width}[word_input]
        self.word_to_multimodal = None if width is None else uniform_linear(width, multimodal_dim, bias=False)
        self.image_to_recurrent: nn.Linear | None = None
        self.image_to_multimodal: nn.Linear | None = None
        if image_input != "multimodal":
            self.image_to_recurrent = uniform_linear(feature_dim, self.words.width, bias=False)
        if image_input != "recurrent":
            seen = self.words.width if image_input == "both_shared" else feature_dim
            self.image_to_multimodal = uniform_linear(seen, multimodal_dim, bias=self.branches)
        self.multimodal_dropout = nn.Dropout(multimodal_dropout)
        self.output = make_output(multimodal_dim, self.words, share_embedding)

    def init_state(self, features: Tensor) -> State:
        recurrent, multimodal = self._image(features)
        image = {"image_of_recurrent": recurrent, "image_of_multimodal": multimodal}
        return self.cells.start(features) | {name: side for name, side in image.items() if side is not None}

    def hidden_step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        first, last = self.words(tokens)
        recurrent = state.get("image_of_recurrent")
        hidden, memory = self.cells.step(last if recurrent is None else last + recurrent, state)
        return self._join(self._text(hidden, first, last), state.get("image_of_multimodal")), state | memory

    def hidden_states(self, features: Tensor, tokens: Tensor) -> Tensor:
        recurrent, multimodal = self._image(features)
        text = self._text_states(tokens, recurrent)
        return self._join(text, None if multimodal is None else multimodal[:, None])  # (N, T + 1, M)

    def text_states(self, tokens: Tensor) -> Tensor:
        self._check_late_fusion()
        return self._text_states(tokens)

    def image_states(self, features: Tensor) -> Tensor:
        self._check_late_fusion()
        return self._image_side(features)

    def fuse(self, text: Tensor, image: Tensor) -> Tensor:
        self._check_late_fusion()
        return self._join(text, image)

    def refined(self, features: Tensor) -> Tensor:
        self._check_late_fusion()
        return self._refined(features)

    def check_word_loss(self) -> None:
        """Errors: UserError when the multimodal layer does not see the image."""
        if self.image_input == "recurrent":
            raise UserError(
                "task.weights.words needs a multimodal layer that sees the image: model.decoder.image_input"
            )

    def word_loss(self, features: Tensor, tokens: Tensor) -> Tensor:
        """``naming_loss`` of the scores of the multimodal layer when it sees the image and no text."""
        return naming_loss(self.output(self.multimodal_dropout(self._refined(features))), tokens)

    def _text_states(self, tokens: Tensor, image: Tensor | None = None) -> Tensor:
        first, last = self.words(self.inputs(tokens))  # (N, T + 1, D), (N, T + 1, W)
        return self._text(self.cells.run(last if image is None else last + image[:, None]), first, last)

    def _text(self, memory: Tensor, first: Tensor, last: Tensor) -> Tensor:
        """(..., H), embedding I and II -> the text side (..., M) of the multimodal layer."""
        text = self.memory_to_multimodal(memory)
        if self.word_to_multimodal is not None:
            text = text + self.word_to_multimodal(first if self.word_input == "first" else last)
        return self.activation(text) if self.branches else text

    def _image(self, features: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """(N, F) -> what the recurrence (N, W) and the multimodal layer (N, M) see of the image."""
        recurrent = None if self.image_to_recurrent is None else self.image_to_recurrent(features)
        return recurrent, None if self.image_to_multimodal is None else self._image_side(features, recurrent)

    def _image_side(self, features: Tensor, shared: Tensor | None = None) -> Tensor:
        assert self.image_to_multimodal is not None
        if self.image_input == "both_shared":
            assert self.image_to_recurrent is not None
            features = self.image_to_recurrent(features) if shared is None else shared
        image = self.image_to_multimodal(features)
        return self.activation(image) if self.branches else image

    def _refined(self, features: Tensor) -> Tensor:
        image = self._image_side(features)
        return image if self.branches else self.activation(image)

    def _join(self, text: Tensor, image: Tensor | None) -> Tensor:
        total = text if image is None else text + image
        return self.multimodal_dropout(total if self.branches else self.activation(total))


def _one_of(key: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise UserError(f"model.decoder.{key}={value} is none of {', '.join(known)}")
    return value
