"""Scores of all pairs equal reading every sentence to every image; shared beginnings; the correction for frequency."""

import math

import pytest
import torch
from torch import nn

from densecap.models.decoders.base import Decoder, caption_targets
from densecap.models.decoders.lstm import LSTMDecoder
from densecap.models.decoders.mrnn import MRNNDecoder
from densecap.models.decoders.transformer import TransformerDecoder
from densecap.models.generation import score_captions
from densecap.models.retrieval import late_fusion, output_layer
from densecap.models.retrieval.cores import on_all_cores
from densecap.models.retrieval.late_fusion import LateFusionScorer
from densecap.models.retrieval.output_layer import OutputLayer
from densecap.models.retrieval.pairs import (
    corrected_for_frequency,
    log_marginal,
    pair_log_probs,
    read_to_every_image,
)
from densecap.models.retrieval.prefixes import distinct_prefixes

VOCABULARY = 12


class LateDecoder(Decoder):
    """The contract of late fusion with the fewest parts: a running sum of embeddings, and a sum with the image."""

    late_fusion = True

    def __init__(self, output: nn.Module | None = None, dim: int = 6) -> None:
        super().__init__(feature_dim=5, vocabulary_size=VOCABULARY)
        self.embedding = nn.Embedding(VOCABULARY + 2, dim)
        self.image = nn.Linear(5, dim)
        self.output = nn.Linear(dim, VOCABULARY + 1) if output is None else output

    def text_states(self, tokens):
        return self.embedding(self.inputs(tokens)).cumsum(dim=1).tanh()

    def image_states(self, features):
        return self.image(features)

    def fuse(self, text, image):
        return (text + image).tanh()

    def hidden_states(self, features, tokens):
        return self.fuse(self.text_states(tokens), self.image_states(features)[:, None])


def random_sentences(count, length, seed=1, words=VOCABULARY):
    """(S, T) sentences of 0..T words; few words make many equal beginnings."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(1, words + 1, (count, length), generator=generator)
    lengths = torch.randint(length + 1, (count, 1), generator=generator)
    return tokens * (torch.arange(length) < lengths)


def one_by_one(decoder, features, tokens):
    """(I, S) through the decoder's own loss, a pair at a time."""
    rows = [[score_captions(decoder, image[None], words[None])[0] for words in tokens] for image in features]
    return torch.tensor(rows)


def make(kind):
    torch.manual_seed(0)
    decoders = {
        "late": lambda: LateDecoder(),
        "late, two layers": lambda: LateDecoder(
            nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, VOCABULARY + 1))
        ),
        "m-RNN": lambda: MRNNDecoder(5, VOCABULARY, 6, hidden_dim=7, multimodal_dim=8),
        "m-RNN that shares words": lambda: MRNNDecoder(
            5,
            VOCABULARY,
            6,
            second_embedding=False,
            hidden_dim=7,
            multimodal_dim=8,
            cell="gru",
            activation="relu",
            activate="branches",
            share_embedding=True,
        ),
        "m-RNN that sees the image early": lambda: MRNNDecoder(
            5, VOCABULARY, 6, hidden_dim=7, multimodal_dim=8, image_input="both"
        ),
        "late, not linear": lambda: LateDecoder(nn.Sequential(nn.Linear(6, VOCABULARY + 1), nn.Tanh())),
        "late, no bias": lambda: LateDecoder(nn.Linear(6, VOCABULARY + 1, bias=False)),
        "lstm": lambda: LSTMDecoder(5, VOCABULARY, embedding_dim=6, hidden_dim=7),
        "transformer": lambda: TransformerDecoder(
            5, VOCABULARY, 8, hidden_dim=8, num_layers=1, num_heads=2, max_length=6
        ),
    }
    return decoders[kind]().eval()


@pytest.mark.parametrize(
    "kind", ["late", "late, two layers", "late, not linear", "late, no bias", "lstm", "transformer"]
)
def test_pairs_equal_reading_each_sentence_to_each_image(kind):
    decoder, features = make(kind), torch.randn(7, 5, generator=torch.Generator().manual_seed(2))
    tokens = torch.cat((random_sentences(40, 6, words=3), random_sentences(5, 6, words=3)))  # the last five are repeats
    scores = pair_log_probs(decoder, features, tokens)
    assert scores.shape == (7, 45)
    torch.testing.assert_close(scores, one_by_one(decoder, features, tokens), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize(("rows", "images", "group"), [(1, 128, 8192), (10, 3, 8192), (64, 4, 7), (1000, 128, 1)])
def test_blocks_of_any_size_give_the_same(monkeypatch, rows, images, group):
    decoder, features, tokens = make("late"), torch.randn(9, 5), random_sentences(30, 5, words=4)
    expected = read_to_every_image(decoder, features, torch.unique(tokens, dim=0)).detach()
    monkeypatch.setattr(output_layer, "CPU_BYTES", 4 * (VOCABULARY + 1) * rows)
    monkeypatch.setattr(output_layer, "LEAST_ROWS", 1)
    monkeypatch.setattr(late_fusion, "BLOCK_IMAGES", images)
    monkeypatch.setattr(late_fusion, "GROUP_SENTENCES", group)
    monkeypatch.setattr(late_fusion, "READ_SENTENCES", 4)
    seen = []
    scores = pair_log_probs(
        decoder, features, torch.unique(tokens, dim=0), lambda done, total: seen.append((done, total))
    )
    torch.testing.assert_close(scores.t(), expected, atol=2e-5, rtol=1e-5)
    assert seen[-1][0] == seen[-1][1] == seen[0][1]


@pytest.mark.parametrize("shift", [-300.0, -60.0, 60.0, 300.0])
def test_scores_of_any_size_are_normalized(shift):
    """Exponentials of these vanish or overflow in float32."""
    torch.manual_seed(0)
    linear = nn.Linear(6, 20)
    with torch.no_grad():
        linear.weight.mul_(5)
        linear.bias.add_(shift)
    hidden = torch.randn(3, 4, 6)
    prefix, word = torch.tensor([0, 1, 1, 2]), torch.tensor([0, 19, 3, 7])
    with torch.no_grad():
        found = OutputLayer(linear, 20).log_probs(hidden, prefix, word)
        expected = linear(hidden.double().float()).double().log_softmax(dim=-1)[prefix, :, word]
    torch.testing.assert_close(found.double(), expected, atol=1e-3, rtol=1e-5)


@pytest.mark.parametrize("with_numpy", [True, False])
def test_either_library_multiplies_the_same(monkeypatch, with_numpy):
    monkeypatch.setattr(late_fusion, "TRIED_BLOCKS", 1)
    monkeypatch.setattr(output_layer, "CPU_BYTES", 0)
    monkeypatch.setattr(output_layer, "LEAST_ROWS", 3)
    monkeypatch.setattr(LateFusionScorer, "_numpy_is_faster", lambda self, score: bool(len(score(0))) and with_numpy)
    decoder, features, tokens = make("m-RNN"), torch.randn(9, 5), random_sentences(60, 5)
    scorer = LateFusionScorer(decoder, torch.unique(tokens, dim=0))
    with torch.no_grad():
        found = scorer.score(features, lambda count: None)
    assert scorer.layer.with_numpy == with_numpy
    expected = read_to_every_image(decoder, features, torch.unique(tokens, dim=0)).detach()
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("numpy_seconds", [1.0, 3.0])
def test_the_faster_library_is_taken(monkeypatch, numpy_seconds):
    """By a clock that goes on by a block's time, 2 seconds with torch."""
    scorer, now = LateFusionScorer(make("m-RNN"), random_sentences(3, 5)), [0.0]

    def score(block):
        now[0] += numpy_seconds if scorer.layer.with_numpy else 2.0

    monkeypatch.setattr(late_fusion.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(late_fusion, "on_all_cores", lambda work, count, device: map(work, range(count)))
    assert scorer._numpy_is_faster(score) is (numpy_seconds < 2)


@pytest.mark.parametrize("threads", [1, 3])
def test_results_keep_their_order_on_any_number_of_cores(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert list(on_all_cores(lambda index: index * index, 20, torch.device("cpu"))) == [k * k for k in range(20)]
        assert torch.get_num_threads() == threads
        decoder, features, tokens = make("m-RNN"), torch.randn(9, 5), random_sentences(30, 5, words=4)
        found = pair_log_probs(decoder, features, tokens)
        torch.testing.assert_close(found, one_by_one(decoder, features, tokens), atol=2e-5, rtol=1e-5)
        with pytest.raises(ZeroDivisionError):
            list(on_all_cores(lambda index: 1 // (index - 4), 9, torch.device("cpu")))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_histories_are_those_of_a_set_of_beginnings():
    tokens = random_sentences(50, 5, words=2)
    prefixes = distinct_prefixes(tokens)
    sentences = [[word for word in row if word] for row in tokens.tolist()]
    wanted = {tuple(words[:end]) for words in sentences for end in range(len(words) + 1)}
    histories = [
        tuple(sentences[s][:position]) for s, position in zip(prefixes.sentence.tolist(), prefixes.position.tolist())
    ]
    assert len(histories) == len(wanted)
    assert set(histories) == wanted
    pairs = [(histories[p], w) for p, w in zip(prefixes.prefix.tolist(), prefixes.word.tolist())]
    assert len(pairs) == len(set(pairs))
    assert prefixes.prefix.tolist() == sorted(prefixes.prefix.tolist())
    said = {sentence: [] for sentence in range(50)}
    for owner, continuation in zip(prefixes.owner.tolist(), prefixes.continuation.tolist()):
        said[owner].append(pairs[continuation])
    for sentence, words in enumerate(sentences):
        assert sorted(said[sentence]) == sorted((tuple(words[:k]), w) for k, w in enumerate([*words, 0]))


def test_positions_are_those_that_count_in_the_loss():
    tokens = random_sentences(20, 4)
    assert len(distinct_prefixes(tokens).owner) == int((caption_targets(tokens) >= 0).sum())


@pytest.mark.parametrize(("images", "sentences"), [(0, 3), (3, 0), (0, 0)])
def test_no_images_and_no_sentences(images, sentences):
    for kind in ("late", "lstm"):
        scores = pair_log_probs(make(kind), torch.zeros(images, 5), random_sentences(sentences, 4))
        assert scores.shape == (images, sentences)


def test_sentences_without_words():
    decoder, features = make("late"), torch.randn(2, 5)
    scores = pair_log_probs(decoder, features, torch.zeros(1, 0, dtype=torch.int64))
    torch.testing.assert_close(scores, one_by_one(decoder, features, torch.zeros(1, 0, dtype=torch.int64)))


def test_marginal_by_hand():
    log_probs = torch.tensor([[0.5, 0.1], [0.1, 0.3]]).log()
    marginal = log_marginal(log_probs)
    torch.testing.assert_close(marginal.exp(), torch.tensor([0.3, 0.2], dtype=torch.float64))
    corrected = corrected_for_frequency(torch.tensor([[0.6, 0.02]]).log(), marginal)
    torch.testing.assert_close(corrected.exp(), torch.tensor([[2.0, 0.1]]))


def test_correction_undoes_the_frequency_of_a_sentence():
    """A sentence that is likely with every image loses to one that this image makes more likely."""
    log_probs = torch.tensor([[-10.0, -12.0], [-10.0, -15.0]])
    corrected = corrected_for_frequency(log_probs, log_marginal(log_probs))
    assert corrected[0].argmax() == 1
    assert corrected[1].argmax() == 0
    assert math.isclose(float(corrected[0, 0]), 0.0, abs_tol=1e-6)
