"""Minimum length, words that may not come twice, diverse beams and the log-probability of every word."""

import dataclasses
from collections import Counter
from pathlib import Path

import pytest
import torch
import yaml

from densecap.models.generation import GenerationSettings, generate
from densecap.models.restrictions import block_repetition
from densecap.text.vocabulary import END, Vocabulary
from tests.models.test_generation import (
    KINDS,
    Counting,
    captions_of,
    check_log_probs,
    decoders,
    exhaustive,
    random_features,
    words,
)

CONFIGS = Path(__file__).parents[2] / "configs" / "generation"


def repeats(caption, size):
    runs = [tuple(caption[start : start + size]) for start in range(len(caption) - size + 1)]
    return len(set(runs)) < len(runs)


def next_log_probs(decoder, feature, said):
    state = decoder.init_state(feature[None])
    for word in (decoder.start, *said):
        scores, state = decoder.step(torch.tensor([word]), state)
    return scores[0].log_softmax(0).tolist()


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize(("least", "size"), [(2, None), (4, None), (0, 1), (0, 2), (3, 2)])
@torch.no_grad()
def test_a_wide_beam_finds_the_best_that_is_allowed(least, size, penalty):
    for decoder in decoders(3):
        features = random_features(3)
        settings = GenerationSettings(
            beam_size=200, max_length=4, length_penalty=penalty, num_captions=5, min_length=least, no_repeat_ngram=size
        )
        result = generate(decoder, features, settings, words(3))
        for feature, rows, log_probs in zip(features, result.tokens.view(3, 5, 4), result.log_probs.view(3, 5)):
            allowed = [
                (log_prob, caption)
                for _, log_prob, caption in exhaustive(decoder, feature, 3, 4, penalty)
                if len(caption) >= least and not (size and repeats(caption, size))
            ]
            assert [captions_of(row) for row in rows] == [caption for _, caption in allowed[:5]]
            assert log_probs.tolist() == pytest.approx([log_prob for log_prob, _ in allowed[:5]], abs=1e-4)


def restricted_greedy(decoder, feature, settings, forbidden):
    said = []
    while len(said) < settings.max_length:
        values = next_log_probs(decoder, feature, said)
        allowed = [
            word
            for word in range(len(values))
            if word not in forbidden
            and (word != END or len(said) >= settings.min_length)
            and (word == END or not repeats([*said, word], settings.no_repeat_ngram))
        ]
        best = max(allowed or [END], key=values.__getitem__)
        if best == END:
            break
        said.append(best)
    return tuple(said)


@pytest.mark.parametrize("kind", range(4), ids=KINDS)
@pytest.mark.parametrize(("least", "size"), [(5, 1), (4, 2), (0, 3), (9, 1)])
@torch.no_grad()
def test_greedy_under_rules(kind, least, size):
    decoder, features, vocabulary = decoders(5)[kind], random_features(12), words(5)
    settings = GenerationSettings(max_length=9, min_length=least, no_repeat_ngram=size, allow_unknown=False)
    result = generate(decoder, features, settings, vocabulary)
    for feature, row in zip(features, result.tokens):
        assert captions_of(row) == restricted_greedy(decoder, feature, settings, {vocabulary.unknown})
    check_log_probs(decoder, features, result)


@torch.no_grad()
def test_a_caption_that_cannot_go_on_ends():
    """Four words that may come once each, and nine that are wanted."""
    for changes in ({}, {"beam_size": 3}, {"temperature": 2.0, "num_captions": 4}):
        settings = GenerationSettings(max_length=9, min_length=9, no_repeat_ngram=1, allow_unknown=False, **changes)
        result = generate(decoders(5)[0], random_features(6), settings, words(5))
        assert [sorted(captions_of(row)) for row in result.tokens] == [[1, 2, 3, 4]] * len(result.tokens)
        assert torch.isfinite(result.log_probs).all()


@torch.no_grad()
def test_draws_keep_the_rules():
    settings = GenerationSettings(temperature=3.0, num_captions=20, min_length=3, no_repeat_ngram=2)
    generator = torch.Generator().manual_seed(0)
    features = random_features(5)
    result = generate(decoders(5)[1], features, settings, words(5), generator=generator)
    captions = [captions_of(row) for row in result.tokens]
    assert min(map(len, captions)) >= 3 and not any(repeats(caption, 2) for caption in captions)
    check_log_probs(decoders(5)[1], features.repeat_interleave(20, dim=0), result)


def test_repetition_by_hand():
    tokens = torch.tensor([[[1, 2, 3, 1, 2], [1, 1, 1, 1, 1], [1, 2, 1, 0, 0]]])
    blocked = {
        size: [
            row.isneginf().nonzero()[:, 0].tolist() for row in block_repetition(torch.zeros(1, 3, 5), tokens, size)[0]
        ]
        for size in (1, 2, 3, 5, 6)
    }
    assert blocked[1] == [[1, 2, 3], [1], [1, 2]]  # END fills up what is finished and is never blocked
    assert blocked[2] == [[3], [1], []]
    assert blocked[3] == [[3], [1], []]
    assert blocked[5] == [[], [1], []]
    assert blocked[6] == [[], [], []]


def diverse_reference(decoder, feature, settings, classes):
    """Groups of hypotheses (ids with END, log-probability), one group and one step after the other."""
    size = settings.beam_size // settings.num_groups
    groups = [[((), 0.0)] for _ in range(settings.num_groups)]
    for _ in range(settings.max_length):
        said = Counter()
        for number, group in enumerate(groups):
            options = []
            for ids, log_prob in group:
                if END in ids:
                    options.append((log_prob / len(ids) ** settings.length_penalty, ids, log_prob, False))
                    continue
                values = next_log_probs(decoder, feature, ids)
                for word in range(classes):
                    total = log_prob + values[word]
                    key = (total - settings.diversity_strength * said[word]) / (len(ids) + 1) ** settings.length_penalty
                    options.append((key, (*ids, word), total, True))
            best = sorted(options, key=lambda option: -option[0])[:size]
            groups[number] = [(ids, log_prob) for _, ids, log_prob, _ in best]
            said.update(ids[-1] for _, ids, _, spoke in best if spoke)
    return groups


def chosen_of(groups, settings):
    """The best of every group first, what is said twice last; then by what hypotheses compare by."""

    def key(item):
        return item[1] / len(item[0]) ** settings.length_penalty

    chosen, repeated = [], []
    for rank in range(len(groups[0])):
        for item in sorted((group[rank] for group in groups), key=key, reverse=True):
            (repeated if item[0] in [other[0] for other in chosen] else chosen).append(item)
    return sorted((chosen + repeated)[: settings.num_captions], key=key, reverse=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_groups": 3, "num_captions": 3},
        {"num_groups": 2, "num_captions": 6, "diversity_strength": 1.5},
        {"num_groups": 6, "num_captions": 4, "diversity_strength": 3.0},
        {"num_groups": 3, "num_captions": 5, "length_penalty": 0.8},
        {"num_groups": 3, "num_captions": 2, "diversity_strength": 0.0},
    ],
)
@torch.no_grad()
def test_diverse_beams(changes):
    settings = GenerationSettings(beam_size=6, max_length=5, **changes)
    for decoder in decoders(8):
        features = random_features(4)
        result = generate(decoder, features, settings, words(8))
        rows = result.tokens.view(4, settings.num_captions, 5)
        log_probs = result.log_probs.view(4, settings.num_captions)
        for feature, own, values in zip(features, rows, log_probs):
            expected = chosen_of(diverse_reference(decoder, feature, settings, 9), settings)
            assert [captions_of(row) for row in own] == [captions_of(torch.tensor(ids)) for ids, _ in expected]
            assert values.tolist() == pytest.approx([value for _, value in expected], abs=1e-4)
        check_log_probs(decoder, features.repeat_interleave(settings.num_captions, dim=0), result)


@torch.no_grad()
def test_groups_that_may_not_agree_begin_differently():
    settings = GenerationSettings(beam_size=4, num_groups=4, num_captions=4, max_length=6, diversity_strength=1000.0)
    result = generate(decoders(12)[0], random_features(10), settings, words(12))
    for rows in result.tokens.view(10, 4, 6):
        assert len({int(row[0]) for row in rows}) == 4


@torch.no_grad()
def test_without_diversity_every_group_is_a_beam_search():
    for decoder in decoders(12):
        features = random_features(8)
        grouped = GenerationSettings(beam_size=6, num_groups=2, num_captions=3, max_length=7, diversity_strength=0.0)
        plain = GenerationSettings(beam_size=3, num_captions=3, max_length=7)
        first, second = (generate(decoder, features, settings, words(12)) for settings in (grouped, plain))
        assert torch.equal(first.tokens, second.tokens)
        torch.testing.assert_close(first.token_log_probs, second.token_log_probs)


@torch.no_grad()
def test_log_probability_of_every_word():
    decoder, features = decoders(12)[0], random_features(6)
    cut = []
    for changes in (
        {},
        {"beam_size": 4, "num_captions": 3},
        {"beam_size": 4, "length_penalty": 0.7, "min_length": 3, "no_repeat_ngram": 1},
        {"beam_size": 4, "num_groups": 2, "num_captions": 4},
        {"temperature": 1.3, "num_captions": 3},
    ):
        settings = GenerationSettings(max_length=6, **changes)
        result = generate(decoder, features, settings, words(12), generator=torch.Generator().manual_seed(0))
        rows = zip(features.repeat_interleave(settings.num_captions, dim=0), result.tokens, result.token_log_probs)
        for feature, row, terms in rows:
            said = captions_of(row)
            cut.append(len(said) == 6)
            ids = said if cut[-1] else (*said, END)
            expected = [next_log_probs(decoder, feature, ids[:place])[word] for place, word in enumerate(ids)]
            assert terms.tolist() == pytest.approx(expected + [0.0] * (6 - len(ids)), abs=1e-4)
        torch.testing.assert_close(result.token_log_probs.sum(dim=1), result.log_probs)
    assert 0 < sum(cut) < len(cut), "the test wants captions with and without an end"


def test_rules_leave_complete_captions_alone():
    """As without rules, regions leave the batch once they are complete."""
    decoder = Counting([1, 3, 0, 1])
    settings = GenerationSettings(max_length=8, min_length=2)
    result = generate(decoder, torch.arange(4.0)[:, None], settings, Vocabulary(["a", "b", "c"]))
    assert (result.tokens > 0).sum(dim=1).tolist() == [8, 3, 8, 8]  # it wants to end at one step only
    assert decoder.rows == [4, 4, 4, 4, 3, 3, 3, 3]


def test_greedy_yaml_is_the_default():
    node = yaml.safe_load((CONFIGS / "greedy.yaml").read_text())
    assert node.pop("_target_").endswith(".GenerationSettings")
    assert node == dataclasses.asdict(GenerationSettings())


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_yaml_is_a_valid_setting(path):
    node = yaml.safe_load(path.read_text())
    node.pop("defaults", None), node.pop("_target_", None)
    GenerationSettings(**node)
