"""Greedy, beam search and sampling against references that can be read at a glance."""

import itertools
import math
from functools import cache

import pytest
import torch

from densecap.errors import UserError
from densecap.models import search
from densecap.models.beams import keep_probable
from densecap.models.decoders.gru import GRUDecoder
from densecap.models.decoders.lstm import LSTMDecoder
from densecap.models.decoders.mrnn import MRNNDecoder
from densecap.models.decoders.transformer import TransformerDecoder
from densecap.models.generation import GenerationSettings, generate, score_captions
from densecap.structures import Captions
from densecap.text.vocabulary import END, UNKNOWN, Vocabulary

FEATURES = 6
KINDS = ("lstm", "gru", "transformer", "mrnn")


def words(count):
    return Vocabulary([f"w{index}" for index in range(count - 1)] + [UNKNOWN])


@cache
@torch.enable_grad()
def decoders(vocabulary_size, steps=40):
    """Small decoders, briefly trained on random captions so that what they say differs from region to region."""
    torch.manual_seed(3)
    made = (
        LSTMDecoder(FEATURES, vocabulary_size, 8, 16, num_layers=2),
        GRUDecoder(FEATURES, vocabulary_size, 8, 16),
        TransformerDecoder(FEATURES, vocabulary_size, 16, 16, num_layers=2, num_heads=2, max_length=12),
        MRNNDecoder(FEATURES, vocabulary_size, 8, hidden_dim=16, multimodal_dim=16),
    )
    features = random_features(25)
    captions = torch.randint(1, vocabulary_size + 1, (25, 8)) * (torch.arange(8) < torch.randint(1, 9, (25, 1)))
    for decoder in made:
        optimizer = torch.optim.Adam(decoder.parameters(), lr=0.02)
        for _ in range(steps):
            optimizer.zero_grad()
            decoder.loss(features, captions).mean().backward()
            optimizer.step()
    return [decoder.eval() for decoder in made]


def random_features(count, seed=0):
    return torch.randn(count, FEATURES, generator=torch.Generator().manual_seed(seed)) * 2


def captions_of(row):
    row = row.tolist()
    return tuple(row[: row.index(END)] if END in row else row)


def score(decoder, feature, said):
    """Log-probability of a sequence of ids, END included where the sequence has it, step by step."""
    state, total, last = decoder.init_state(feature[None]), 0.0, decoder.start
    for word in said:
        scores, state = decoder.step(torch.tensor([last]), state)
        total += scores[0].log_softmax(0)[word].item()
        last = word
    return total


def exhaustive(decoder, feature, vocabulary_size, max_length, penalty=0.0):
    """All captions, best first: (key, log-probability, words); complete ones with END, and full-length ones without."""
    found = []
    for length in range(max_length + 1):
        for caption in itertools.product(range(1, vocabulary_size + 1), repeat=length):
            said = caption if length == max_length else (*caption, END)
            log_prob = score(decoder, feature, said)
            found.append((log_prob / len(said) ** penalty, log_prob, caption))
    return sorted(found, reverse=True)


def greedy_reference(decoder, feature, max_length):
    state, last, said, total = decoder.init_state(feature[None]), decoder.start, [], 0.0
    for _ in range(max_length):
        scores, state = decoder.step(torch.tensor([last]), state)
        last = int(scores[0].argmax())
        total += scores[0].log_softmax(0)[last].item()
        if last == END:
            break
        said.append(last)
    return tuple(said), total


@pytest.mark.parametrize("kind", range(4), ids=KINDS)
@torch.no_grad()
def test_beam_of_one_is_greedy(kind):
    decoder = decoders(12)[kind]
    features = random_features(25)
    result = generate(decoder, features, GenerationSettings(max_length=9), words(12))
    assert result.tokens.shape == (25, 9) and result.tokens.dtype == torch.int64
    lengths = set()
    for feature, row, log_prob in zip(features, result.tokens, result.log_probs):
        said, total = greedy_reference(decoder, feature, 9)
        lengths.add(len(said))
        assert captions_of(row) == said
        assert not row[len(said) :].any()
        assert log_prob.item() == pytest.approx(total, abs=1e-4)
    assert len(lengths) > 2, "the test wants captions of several lengths"


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("kind", range(4), ids=KINDS)
@torch.no_grad()
def test_a_wide_beam_is_exhaustive_search(kind, penalty):
    decoder = decoders(3)[kind]
    features = random_features(5)
    settings = GenerationSettings(beam_size=200, max_length=4, length_penalty=penalty, num_captions=6)
    result = generate(decoder, features, settings, words(3))
    tokens, log_probs = result.tokens.view(5, 6, 4), result.log_probs.view(5, 6)
    for feature, rows, row_log_probs in zip(features, tokens, log_probs):
        best = exhaustive(decoder, feature, 3, 4, penalty)[:6]
        assert [captions_of(row) for row in rows] == [caption for *_, caption in best]
        assert row_log_probs.tolist() == pytest.approx([log_prob for _, log_prob, _ in best], abs=1e-4)


@torch.no_grad()
def test_length_penalty_prefers_longer_captions():
    decoder = decoders(8)[0]
    lengths = []
    for penalty in (0.0, 1.0, 3.0):
        settings = GenerationSettings(beam_size=8, max_length=8, length_penalty=penalty)
        lengths.append(int((generate(decoder, random_features(20), settings, words(8)).tokens > 0).sum()))
    assert lengths[0] < lengths[1] <= lengths[2]


@pytest.mark.parametrize("kind", range(4), ids=KINDS)
@torch.no_grad()
def test_n_best_are_sorted_distinct_and_rightly_scored(kind):
    decoder = decoders(12)[kind]
    features = random_features(10)
    result = generate(decoder, features, GenerationSettings(beam_size=5, max_length=7, num_captions=4), words(12))
    log_probs = result.log_probs.view(10, 4)
    assert (log_probs[:, :-1] >= log_probs[:, 1:]).all()
    for rows in result.tokens.view(10, 4, 7):
        assert len({captions_of(row) for row in rows}) == 4
    check_log_probs(decoder, features.repeat_interleave(4, dim=0), result)


def check_log_probs(decoder, features, result):
    for feature, row, log_prob in zip(features, result.tokens, result.log_probs):
        said = captions_of(row)
        ended = said if len(said) == len(row) else (*said, END)
        assert log_prob.item() == pytest.approx(score(decoder, feature, ended), abs=1e-4)
    torch.testing.assert_close(result.token_log_probs.sum(dim=1), result.log_probs)


@torch.no_grad()
def test_missing_captions_are_impossible():
    settings = GenerationSettings(beam_size=5, max_length=1, num_captions=5)
    result = generate(decoders(2)[0], random_features(2), settings, words(2))
    assert result.tokens.shape == (10, 1)
    assert (result.log_probs.view(2, 5)[:, 3:] == -math.inf).all()  # w0, <UNK> and nothing at all are three
    assert not result.tokens.view(2, 5)[:, 3:].any()
    assert torch.equal(result.token_log_probs.sum(dim=1), result.log_probs)


@pytest.mark.parametrize("kind", range(4), ids=KINDS)
@torch.no_grad()
def test_drawing_among_one_word_is_greedy(kind):
    decoder = decoders(12)[kind]
    features = random_features(15)
    greedy = generate(decoder, features, GenerationSettings(max_length=9), words(12))
    for settings in ({"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-5}):
        drawn = generate(decoder, features, GenerationSettings(max_length=9, **settings), words(12))
        assert torch.equal(drawn.tokens, greedy.tokens)
        torch.testing.assert_close(drawn.log_probs, greedy.log_probs)


@torch.no_grad()
def test_drawn_words_follow_the_distribution():
    decoder = decoders(4)[0]
    feature = random_features(1)
    settings = GenerationSettings(temperature=1.0, max_length=1, num_captions=4000)
    drawn = generate(decoder, feature, settings, words(4), generator=torch.Generator().manual_seed(0))
    expected = decoder(feature, torch.zeros(1, 0, dtype=torch.int64))[0, 0].softmax(0)
    shares = torch.bincount(drawn.tokens[:, 0], minlength=5) / 4000
    torch.testing.assert_close(shares, expected, atol=0.03, rtol=0)
    first = Captions(*(values[:50] for values in drawn.tensors()))
    check_log_probs(decoder, feature.expand(50, -1), first)


@torch.no_grad()
def test_draws_repeat_with_a_generator_and_come_best_first():
    decoder, features = decoders(12)[0], random_features(4)
    settings = GenerationSettings(temperature=1.5, top_k=8, top_p=0.9, num_captions=6, max_length=6)
    first, second = (
        generate(decoder, features, settings, words(12), generator=torch.Generator().manual_seed(7)) for _ in range(2)
    )
    assert torch.equal(first.tokens, second.tokens)
    log_probs = first.log_probs.view(4, 6)
    assert (log_probs[:, :-1] >= log_probs[:, 1:]).all()
    check_log_probs(decoder, features.repeat_interleave(6, dim=0), first)


def test_filters_keep_the_probable_words():
    scores = torch.tensor([[0.1, 0.4, 0.2, 0.3], [0.7, 0.1, 0.1, 0.1]]).log()
    kept = keep_probable(scores, top_k=2, top_p=None) > -math.inf
    assert kept[0].tolist() == [False, True, False, True]
    assert (keep_probable(scores, None, 0.65) > -math.inf).tolist() == [
        [False, True, False, True],
        [True, False, False, False],
    ]
    assert torch.equal(keep_probable(scores, 9, 1.0), scores)


@pytest.mark.parametrize("changes", [{}, {"beam_size": 3}, {"top_k": 4}])
@torch.no_grad()
def test_unknown_can_be_forbidden(changes):
    decoder, features, vocabulary = decoders(5)[0], random_features(30), words(5)
    free = generate(decoder, features, GenerationSettings(**changes), vocabulary)
    assert (free.tokens == vocabulary.unknown).any()
    bound = generate(decoder, features, GenerationSettings(allow_unknown=False, **changes), vocabulary)
    assert not (bound.tokens == vocabulary.unknown).any()
    check_log_probs(decoder, features, bound)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"beam_size": 4, "num_captions": 2},
        {"beam_size": 3, "length_penalty": 0.7},
        {"beam_size": 4, "num_groups": 2, "num_captions": 3, "min_length": 3, "no_repeat_ngram": 1},
    ],
)
@pytest.mark.parametrize("kind", range(4), ids=KINDS)
@torch.no_grad()
def test_chunks_and_rare_checks_change_nothing(kind, changes, monkeypatch):
    decoder = decoders(12)[kind]
    features, settings = random_features(11), GenerationSettings(max_length=10, **changes)
    whole = generate(decoder, features, settings, words(12))
    chunked = generate(decoder, features, settings, words(12), max_rows=7)
    assert torch.equal(whole.tokens, chunked.tokens)
    torch.testing.assert_close(whole.log_probs, chunked.log_probs)
    monkeypatch.setattr(search, "looks", lambda step, device: step % 4 == 0)
    late = generate(decoder, features, settings, words(12))
    assert torch.equal(whole.tokens, late.tokens)
    torch.testing.assert_close(whole.log_probs, late.log_probs)


class Counting(torch.nn.Module):
    """Says region i's number of words and ends; counts the rows it is asked for."""

    max_length = None

    def __init__(self, lengths):
        super().__init__()
        self.lengths, self.rows = torch.tensor(lengths), []

    def init_state(self, features):
        return {"left": self.lengths[features[:, 0].long()]}

    def step(self, tokens, state):
        self.rows.append(len(tokens))
        scores = torch.zeros(len(tokens), 4)
        scores[:, 2], scores[:, 0] = 9.0, torch.where(state["left"] == 0, 99.0, -9.0)
        return scores, {"left": state["left"] - 1}


def test_complete_captions_leave_the_batch():
    decoder = Counting([1, 3, 0, 1])
    result = generate(decoder, torch.arange(4.0)[:, None], GenerationSettings(max_length=8), words(3))
    assert decoder.rows == [4, 3, 1, 1]
    assert (result.tokens > 0).sum(dim=1).tolist() == [1, 3, 0, 1]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"beam_size": 3, "num_captions": 2},
        {"top_p": 0.5, "num_captions": 2},
        {"beam_size": 4, "num_groups": 2, "num_captions": 2, "min_length": 2, "no_repeat_ngram": 2},
    ],
)
def test_no_regions_is_an_ordinary_case(changes):
    for decoder in decoders(12):
        result = generate(decoder, torch.zeros(0, FEATURES), GenerationSettings(max_length=9, **changes), words(12))
        assert result.tokens.shape == result.token_log_probs.shape == (0, 9) and result.log_probs.shape == (0,)
        assert score_captions(decoder, torch.zeros(0, FEATURES), torch.zeros(0, 3, dtype=torch.int64)).shape == (0,)


@torch.no_grad()
def test_given_captions_score_as_generated_ones():
    decoder, features = decoders(12)[0], random_features(20)
    result = generate(decoder, features, GenerationSettings(max_length=30), words(12))
    ended = (result.tokens == END).any(dim=1)
    assert ended.sum() > 5
    scores = score_captions(decoder, features, result.tokens, max_rows=6)
    torch.testing.assert_close(scores[ended], result.log_probs[ended], atol=1e-4, rtol=1e-4)


def test_shapes_of_the_original():
    torch.manual_seed(0)
    decoder = LSTMDecoder(FEATURES, 5, 8, 8).eval()
    # The original has a column for the image step too, which the caller never needs: (20, 12, 6) there.
    assert decoder(random_features(20), torch.ones(20, 10, dtype=torch.int64)).shape == (20, 11, 6)
    assert generate(decoder, random_features(20), GenerationSettings(max_length=10), words(5)).tokens.shape == (20, 10)


def test_sentences_of_the_original():
    vocabulary = Vocabulary(["a", "cat", "dog", "eating", "hungry"])
    rows = [(1, 5, 2, 4, 1, 3, 6), (1, 3, 6, 0, 0, 0, 0), (2, 3, 1, 3, 2, 6, 0)]  # END is 6 there and 0 here
    said = [vocabulary.decode(0 if token == 6 else token for token in row) for row in rows]
    assert said == ["a hungry cat eating a dog", "a dog", "cat dog a dog cat"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beam_size": 0}, "generation.beam_size=0 must be a whole number of at least 1"),
        ({"beam_size": 2.5}, "generation.beam_size=2.5"),
        ({"max_length": True}, "generation.max_length=True"),
        ({"top_k": 0}, "generation.top_k=0"),
        ({"temperature": 0}, "generation.temperature=0 must be above 0"),
        ({"temperature": "hot"}, "generation.temperature=hot must be a number"),
        ({"top_p": 1.5}, "generation.top_p=1.5 must be above 0 and at most 1"),
        ({"length_penalty": None}, "generation.length_penalty=None"),
        ({"length_penalty": float("nan")}, "generation.length_penalty=nan"),
        ({"beam_size": 3, "top_k": 5}, "set beam_size to 1"),
        ({"beam_size": 2, "num_captions": 3}, "generation.num_captions=3"),
        ({"min_length": -1}, "generation.min_length=-1 must be a whole number of at least 0"),
        ({"min_length": 9, "max_length": 8}, "generation.min_length=9 is more than generation.max_length=8"),
        ({"no_repeat_ngram": 0}, "generation.no_repeat_ngram=0"),
        ({"beam_size": 5, "num_groups": 2}, "generation.num_groups=2 must divide generation.beam_size=5"),
        ({"num_groups": 2, "top_p": 0.9}, "generation.num_groups=2 must divide generation.beam_size=1"),
        ({"diversity_strength": -0.1}, "generation.diversity_strength=-0.1 must be at least 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(changes, message):
    with pytest.raises(UserError, match=message.replace(".", r"\.")):
        GenerationSettings(**changes)


def test_longer_than_the_decoder_can_write():
    with pytest.raises(UserError, match="max_length=13 is more than model.decoder.max_length=12"):
        generate(decoders(5)[2], random_features(1), GenerationSettings(max_length=13), words(5))
