"""Every decoder that has a yaml keeps the contract; the LSTM is the published one."""

import importlib
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import yaml

from densecap.errors import UserError
from densecap.models.decoders.base import IGNORED, caption_targets
from densecap.models.decoders.gru import GRUDecoder
from densecap.models.decoders.lstm import LSTMDecoder
from densecap.models.decoders.transformer import TransformerDecoder

CONFIGS = Path(__file__).parents[2] / "configs" / "model" / "decoder"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
FEATURES, WORDS = 24, 30


def make(name, seed=0, vocabulary_size=WORDS, feature_dim=FEATURES, **changes):
    """The decoder of a yaml, made small."""
    node = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    module, target = node.pop("_target_").rsplit(".", 1)
    assert node.pop("_partial_") is True
    small = {"embedding_dim": 32, "hidden_dim": 48, "multimodal_dim": 40, "num_heads": 4}
    node.update({key: value for key, value in small.items() if key in node})
    node.update(changes)
    torch.manual_seed(seed)
    return getattr(importlib.import_module(module), target)(feature_dim, vocabulary_size, **node).eval()


def sample(count=7, length=6, seed=1):
    generator = torch.Generator().manual_seed(seed)
    features = torch.rand(count, FEATURES, generator=generator)
    tokens = torch.randint(1, WORDS + 1, (count, length), generator=generator)
    lengths = torch.randint(0, length + 1, (count, 1), generator=generator)
    lengths[:2] = torch.tensor([[0], [length]])[:count]
    return features, tokens * (torch.arange(length) < lengths)


def stack_steps(decoder, features, tokens):
    state, scores = decoder.init_state(features), []
    for words in decoder.inputs(tokens).unbind(1):
        step, state = decoder.step(words, state)
        scores.append(step)
    return torch.stack(scores, dim=1)


def random_order(state):
    return {name: value.flip(0) for name, value in state.items()}


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_forward_is_the_stack_of_steps(name, layers):
    decoder = make(name, **({"num_layers": layers} if "num_layers" in (CONFIGS / f"{name}.yaml").read_text() else {}))
    features, tokens = sample()
    scores = decoder(features, tokens)
    assert scores.shape == (7, 7, WORDS + 1)
    torch.testing.assert_close(scores, stack_steps(decoder, features, tokens), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_later_words_change_nothing_before_them(name):
    decoder = make(name)
    features, tokens = sample()
    changed = tokens.clone()
    changed[:, 3:] = 5
    torch.testing.assert_close(decoder(features, tokens)[:, :4], decoder(features, changed)[:, :4])


@pytest.mark.parametrize("name", NAMES)
def test_reordering_the_state_reorders_the_scores(name):
    decoder = make(name)
    features, tokens = sample()
    state = decoder.init_state(features)
    _, state = decoder.step(tokens[:, 0], state)
    assert all(value.shape[0] == len(features) for value in state.values())
    before = {key: value.clone() for key, value in state.items()}
    scores, after = decoder.step(tokens[:, 1], state)
    assert all(torch.equal(state[key], before[key]) for key in state), "step must leave its state as it was"
    flipped, flipped_after = decoder.step(tokens[:, 1].flip(0), random_order(state))
    torch.testing.assert_close(flipped, scores.flip(0))
    for key, value in random_order(after).items():
        torch.testing.assert_close(flipped_after[key], value)


@pytest.mark.parametrize("name", NAMES)
def test_captions_depend_on_the_image(name):
    decoder = make(name)
    features, tokens = sample()
    same = tokens[:1].expand(7, -1)
    scores = decoder(features, same)
    assert (scores[0] - scores[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_no_sequences_is_an_ordinary_case(name):
    decoder = make(name)
    features, tokens = torch.zeros(0, FEATURES), torch.zeros(0, 6, dtype=torch.int64)
    assert decoder(features, tokens).shape == (0, 7, WORDS + 1)
    assert stack_steps(decoder, features, tokens).shape == (0, 7, WORDS + 1)
    loss = decoder.loss(features, tokens)
    assert loss.shape == (0,)
    loss.sum().backward()
    assert decoder(torch.zeros(2, FEATURES), torch.zeros(2, 0, dtype=torch.int64)).shape == (2, 1, WORDS + 1)


@pytest.mark.parametrize("name", NAMES)
def test_loss_is_the_cross_entropy_of_words_and_end(name):
    decoder = make(name)
    features, tokens = sample()
    scores = decoder(features, tokens)
    expected = []
    for row, caption in zip(scores, tokens.tolist()):
        said = [*(token for token in caption if token), 0]
        expected.append(-sum(row[place].log_softmax(0)[word] for place, word in enumerate(said)))
    torch.testing.assert_close(decoder.loss(features, tokens), torch.stack(expected))
    padded = F.pad(tokens, (0, 9))
    torch.testing.assert_close(decoder.loss(features, padded), decoder.loss(features, tokens))


@pytest.mark.parametrize("name", NAMES)
def test_loss_per_token_starts_near_log_of_the_classes(name):
    decoder = make(name, vocabulary_size=1000, feature_dim=64, embedding_dim=128, hidden_dim=128)
    tokens = torch.randint(1, 1001, (40, 8))
    loss = decoder.loss(torch.rand(40, 64), tokens).sum() / (40 * 9)
    assert abs(loss.item() - math.log(1001)) < 0.2


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter(name):
    decoder = make(name)
    features, tokens = sample()
    features.requires_grad_()
    decoder.loss(features, tokens).mean().backward()
    missing = [key for key, value in decoder.named_parameters() if value.grad is None or not value.grad.any()]
    assert not missing
    assert features.grad.any()


@pytest.mark.parametrize("name", NAMES)
def test_overfits_eight_captions(name):
    decoder = make(name)
    features, tokens = sample(count=8, length=5)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=5e-3)
    for _ in range(120):
        loss = decoder.loss(features, tokens).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    said = decoder(features, tokens).argmax(dim=-1)
    targets = caption_targets(tokens)
    assert torch.equal(said[targets != IGNORED], targets[targets != IGNORED])


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_autocast_agrees_roughly(name):
    decoder = make(name)
    features, tokens = sample()
    with torch.autocast("cpu", torch.bfloat16):
        loss = decoder.loss(features, tokens)
        steps = stack_steps(decoder, features, tokens)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, decoder.loss(features, tokens), rtol=0.03, atol=0.1)
    torch.testing.assert_close(steps.float(), decoder(features, tokens), rtol=0.1, atol=0.1)


def test_targets_of_the_original():
    # getTarget of the 2016 tests, V = 100: its END is 101 and its ignored label 0; ours are 0 and IGNORED, and the
    # image step in front has no place here.
    captions = torch.tensor([[5, 7, 0, 0, 0], [11, 12, 13, 0, 0], [15, 16, 17, 18, 29], [50, 0, 0, 0, 0]])
    expected = torch.tensor(
        [[5, 7, 101, 0, 0, 0], [11, 12, 13, 101, 0, 0], [15, 16, 17, 18, 29, 101], [50, 101, 0, 0, 0, 0]]
    )
    targets = caption_targets(captions)
    targets = torch.where(targets == 0, 101, targets)
    assert torch.equal(targets.masked_fill(targets == IGNORED, 0), expected)
    assert torch.equal(caption_targets(torch.zeros(1, 2, dtype=torch.int64)), torch.tensor([[0, IGNORED, IGNORED]]))


def test_parameters_of_the_published_language_model():
    words = 10_509
    with torch.device("meta"):
        decoder = LSTMDecoder(4096, words)
    count = {name: sum(p.numel() for p in part.parameters()) for name, part in decoder.named_children()}
    assert count["image_encoder"] == 2_097_664
    assert count["cells"] == 2_099_200
    assert count["embedding"] == 512 * (words + 2)
    assert count["output"] == 513 * (words + 1)
    assert [name for name, _ in decoder.cells.named_parameters()] == ["0.weight_ih", "0.weight_hh", "0.bias"]


def test_lstm_agrees_with_pytorch():
    decoder = make("lstm", num_layers=2)
    reference = torch.nn.LSTM(32, 48, num_layers=2, batch_first=True)
    for index, cell in enumerate(decoder.cells):
        for name in ("weight_ih", "weight_hh"):
            getattr(reference, f"{name}_l{index}").data = getattr(cell, name).data
        getattr(reference, f"bias_ih_l{index}").data = cell.bias.data
        getattr(reference, f"bias_hh_l{index}").data.zero_()
    check_recurrence(decoder, reference)


def test_gru_agrees_with_pytorch():
    decoder = make("gru")
    cell = decoder.cells[0]
    cell.candidate_bias.data.normal_()
    reference = torch.nn.GRU(32, 48, batch_first=True)
    reference.weight_ih_l0.data, reference.weight_hh_l0.data = cell.weight_ih.data, cell.weight_hh.data
    reference.bias_ih_l0.data = cell.bias.data
    reference.bias_hh_l0.data = torch.cat((torch.zeros(96), cell.candidate_bias.data))
    check_recurrence(decoder, reference)


def check_recurrence(decoder, reference):
    features, tokens = sample()
    image = decoder.image_encoder(features)[:, None]
    assert (image >= 0).all()
    inputs = torch.cat((image, decoder.embedding(decoder.inputs(tokens))), dim=1)
    outputs = decoder.output(reference(inputs)[0][:, 1:])
    torch.testing.assert_close(decoder(features, tokens), outputs, atol=1e-5, rtol=1e-5)


def test_start_of_the_lstm():
    torch.manual_seed(0)
    decoder = LSTMDecoder(300, 50, embedding_dim=200, hidden_dim=200)
    cell = decoder.cells[0]
    assert cell.weight_ih.std().item() == pytest.approx(400**-0.5, rel=0.03)
    assert cell.bias.view(4, 200).mean(dim=1).tolist() == [0, 1, 0, 0]
    assert decoder.embedding.weight.std().item() == pytest.approx(1, rel=0.05)
    assert decoder.output.weight.abs().max().item() == pytest.approx(200**-0.5, rel=0.01)


def test_the_forget_gate_starts_where_it_is_told():
    decoder = LSTMDecoder(5, 3, embedding_dim=4, hidden_dim=6, num_layers=2, forget_bias=3.0)
    assert [cell.bias.view(4, 6).mean(dim=1).tolist() for cell in decoder.cells] == [[0, 3, 0, 0]] * 2


@pytest.mark.parametrize("cls", [LSTMDecoder, GRUDecoder])
def test_word_loss_by_hand(cls):
    """Words count once each, whatever their order; padding, END and an empty caption count nothing."""
    torch.manual_seed(0)
    decoder = cls(5, 4, embedding_dim=6, hidden_dim=6)
    features = torch.rand(3, 5)
    tokens = torch.tensor([[2, 4, 2, 0], [3, 0, 0, 0], [0, 0, 0, 0]])
    log_probs = decoder.output(decoder.image_encoder(features)).log_softmax(dim=1)
    expected = torch.stack([-(log_probs[0, 2] + log_probs[0, 4]) / 2, -log_probs[1, 3], torch.zeros(())])
    torch.testing.assert_close(decoder.word_loss(features, tokens), expected)
    torch.testing.assert_close(decoder.word_loss(features, tokens.flip(1)), expected)


def test_word_loss_needs_a_layer_that_fits():
    LSTMDecoder(5, 3, embedding_dim=4, hidden_dim=4).check_word_loss()
    with pytest.raises(UserError, match="equal model.decoder.embedding_dim and model.decoder.hidden_dim, got 4 and 6"):
        LSTMDecoder(5, 3, embedding_dim=4, hidden_dim=6).check_word_loss()
    with pytest.raises(UserError, match="TransformerDecoder cannot"):
        TransformerDecoder(8, 5, embedding_dim=8, hidden_dim=8, num_layers=1, num_heads=2).check_word_loss()


def test_sizes_are_free():
    LSTMDecoder(5, 3, embedding_dim=4, hidden_dim=6, num_layers=3)(
        torch.rand(2, 5), torch.ones(2, 2, dtype=torch.int64)
    )
    GRUDecoder(5, 3, embedding_dim=4, hidden_dim=6, num_layers=2)(torch.rand(2, 5), torch.ones(2, 2, dtype=torch.int64))


def test_transformer_says_what_it_cannot_do():
    with pytest.raises(UserError, match="multiple of num_heads"):
        TransformerDecoder(8, 5, embedding_dim=30, num_heads=4)
    decoder = TransformerDecoder(8, 5, embedding_dim=8, hidden_dim=8, num_layers=1, num_heads=2, max_length=4)
    decoder.loss(torch.rand(1, 8), torch.ones(1, 4, dtype=torch.int64))
    with pytest.raises(UserError, match="max_length=4"):
        decoder(torch.rand(1, 8), torch.ones(1, 5, dtype=torch.int64))
    with pytest.raises(UserError, match="max_length=4"):
        stack_steps(decoder, torch.rand(1, 8), torch.ones(1, 5, dtype=torch.int64))
