"""The m-RNN decoders against the formulas of the paper and of TensorFlow's cells, one number after the other."""

import math

import pytest
import torch

from densecap.errors import UserError
from densecap.models.decoders.activations import scaled_tanh
from densecap.models.decoders.lstm import LSTMDecoder
from densecap.models.decoders.mrnn import MRNNDecoder
from densecap.models.decoders.mrnn_init import InitDecoder
from densecap.models.decoders.tf_cells import PeepholeLSTMCell, ReLUCell, TensorFlowGRUCell

FEATURES, WORDS = 9, 11
TF_FORM = {
    "second_embedding": False,
    "cell": "gru",
    "word_input": "none",
    "activation": "relu",
    "activate": "branches",
    "share_embedding": True,
}


def make(seed=0, cls=MRNNDecoder, **settings):
    torch.manual_seed(seed)
    sizes = {"embedding_dim": 5, "hidden_dim": 6} | ({"multimodal_dim": 7} if cls is MRNNDecoder else {})
    decoder = cls(FEATURES, WORDS, **sizes | settings).eval()
    for parameter in decoder.parameters():  # biases and peepholes that start at 0 must count, too
        parameter.data += 0.1 * torch.randn_like(parameter)
    return decoder


def sample(count=4, length=5):
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(1, WORDS + 1, (count, length), generator=generator)
    tokens[1, 3:], tokens[2] = 0, 0
    return torch.rand(count, FEATURES, generator=generator), tokens


def weights(decoder):
    return {name: value.detach() for name, value in decoder.state_dict().items()}


def paper_scores(decoder, features, tokens):
    """Section 3 of the paper, word by word: x is a row of E1, w = E2 e1, r, m and y follow."""
    p = weights(decoder)
    rows = []
    for image, caption in zip(features, tokens.tolist()):
        memory, steps = torch.zeros(6), []
        for word in [0, *caption]:  # START shares its row with END
            first = p["words.embedding.weight"][word]
            second = p["words.second.weight"] @ first + p["words.second.bias"]
            memory = (p["cells.0.weight_hh"] @ memory + second).clamp(min=0)
            total = p["word_to_multimodal.weight"] @ second + p["image_to_multimodal.weight"] @ image
            total = total + p["memory_to_multimodal.weight"] @ memory + p["memory_to_multimodal.bias"]
            multimodal = 1.7159 * torch.tanh(2 / 3 * total)
            steps.append(p["output.weight"] @ multimodal + p["output.bias"])
        rows.append(torch.stack(steps))
    return torch.stack(rows)


@torch.no_grad()
def test_formulas_of_the_paper():
    decoder = make()
    features, tokens = sample()
    torch.testing.assert_close(decoder(features, tokens), paper_scores(decoder, features, tokens))


def test_scaled_tanh_takes_one_to_one():
    values = scaled_tanh(torch.tensor([1.0, -1.0, 0.0, 100.0]))
    torch.testing.assert_close(values, torch.tensor([1.0, -1.0, 0.0, 1.7159]), atol=1e-5, rtol=0)


def tensorflow_gru(p, word, memory):
    """r, u = sigmoid(W [x, h] + b); c = tanh(W [x, r h] + b); h = u h + (1 - u) c."""
    of_word, of_memory, bias = (p[f"cells.0.{key}"] for key in ("weight_ih", "weight_hh", "bias"))
    reset = torch.sigmoid(of_word[:6] @ word + of_memory[:6] @ memory + bias[:6])
    update = torch.sigmoid(of_word[6:12] @ word + of_memory[6:12] @ memory + bias[6:12])
    candidate = torch.tanh(of_word[12:] @ word + of_memory[12:] @ (reset * memory) + bias[12:])
    return update * memory + (1 - update) * candidate


@torch.no_grad()
def test_formulas_of_the_release():
    decoder = make(**TF_FORM)
    features, tokens = sample()
    p = weights(decoder)
    for image, caption, scores in zip(features, tokens.tolist(), decoder(features, tokens)):
        side = (p["image_to_multimodal.weight"] @ image + p["image_to_multimodal.bias"]).clamp(min=0)
        memory = torch.zeros(6)
        for word, row in zip([0, *caption], scores):
            memory = tensorflow_gru(p, p["words.embedding.weight"][word], memory)
            text = (p["memory_to_multimodal.weight"] @ memory + p["memory_to_multimodal.bias"]).clamp(min=0)
            said = (p["output.to_word.weight"] @ (text + side) + p["output.to_word.bias"]).clamp(min=0)
            torch.testing.assert_close(row, p["words.embedding.weight"] @ said + p["output.bias"])


@torch.no_grad()
def test_formulas_of_the_init_form():
    decoder = make(cls=InitDecoder)
    features, tokens = sample()
    p = weights(decoder)
    for image, caption, scores in zip(features, tokens.tolist(), decoder(features, tokens)):
        memory = (p["image_encoder.0.weight"] @ image + p["image_encoder.0.bias"]).clamp(min=0)
        for word, row in zip([0, *caption], scores):
            memory = tensorflow_gru(p, p["words.embedding.weight"][word], memory)
            said = (p["output.to_word.weight"] @ memory + p["output.to_word.bias"]).clamp(min=0)
            torch.testing.assert_close(row, p["words.embedding.weight"] @ said + p["output.bias"])


@torch.no_grad()
def test_lstm_with_peepholes():
    torch.manual_seed(0)
    cell = PeepholeLSTMCell(5, 6)
    cell.peepholes.normal_()
    words = torch.randn(4, 3, 5)
    hidden, content = torch.zeros(3, 6), torch.zeros(3, 6)
    memory = (hidden, content)
    for word in words:
        gates = word @ cell.weight_ih.T + hidden @ cell.weight_hh.T + cell.bias
        write, keep, candidate, read = gates[:, :6], gates[:, 6:12], gates[:, 12:18], gates[:, 18:]
        write = torch.sigmoid(write + cell.peepholes[0] * content)
        keep = torch.sigmoid(keep + cell.peepholes[1] * content)
        content = keep * content + write * torch.tanh(candidate)
        hidden = torch.sigmoid(read + cell.peepholes[2] * content) * torch.tanh(content)
        memory = cell.advance(cell.project(word), memory)
        torch.testing.assert_close(memory, (hidden, content))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("classes", [2_547, 10_000])
def test_parameters_of_the_paper(classes):
    with torch.device("meta"):
        assert count(MRNNDecoder(4096, classes - 1)) == 641 * classes + 2_458_368


@pytest.mark.parametrize(("features", "total"), [(2048, 43_404_667), (4096, 47_598_971)])
def test_parameters_of_the_release(features, total):
    sizes = {"embedding_dim": 1024, "hidden_dim": 2048, "multimodal_dim": 2048}
    with torch.device("meta"):
        assert count(MRNNDecoder(features, 13_690, **sizes, **TF_FORM)) == total
        assert count(InitDecoder(2048, 13_690)) == 14_368_123
        assert count(TensorFlowGRUCell(1024, 2048)) == 18_880_512
        assert count(PeepholeLSTMCell(1024, 2048)) == 25_180_160


VARIANTS = {
    "paper": {},
    "shared embedding": {"share_embedding": True},
    "two layers": {"num_layers": 2},
    "gru": {"cell": "gru"},
    "lstm": {"cell": "lstm", "num_layers": 2},
    "release": TF_FORM,
    "release with lstm": {**TF_FORM, "cell": "lstm"},
    "no word in the multimodal layer": {"word_input": "none"},
    "embedding I in the multimodal layer": {"word_input": "first"},
    "one embedding": {"second_embedding": False, "embedding_dim": 6},
    "embeddings with an activation": {"embedding_activation": "relu"},
    "image in the recurrence": {"image_input": "recurrent"},
    "image in both": {"image_input": "both"},
    "image in both, shared": {"image_input": "both_shared"},
    "image in the recurrence of gru": {"image_input": "recurrent", "cell": "gru"},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_step_as_they_run_and_learn(variant):
    decoder = make(**VARIANTS[variant])
    features, tokens = sample()
    scores = decoder(features, tokens)
    state, steps = decoder.init_state(features), []
    for words in decoder.inputs(tokens).unbind(1):
        row, state = decoder.step(words, state)
        steps.append(row)
    torch.testing.assert_close(scores, torch.stack(steps, dim=1))
    assert (scores[0] - decoder(features + 1, tokens)[0]).abs().max() > 1e-3
    decoder.loss(features, tokens).sum().backward()
    dead = [name for name, value in decoder.named_parameters() if value.grad is None or not value.grad.any()]
    assert dead == []


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_text_and_image_apart_give_the_same(variant):
    decoder = make(**VARIANTS[variant])
    features, tokens = sample()
    if "image in" in variant:
        assert not decoder.late_fusion
        for method, value in (("text_states", tokens), ("image_states", features), ("refined", features)):
            with pytest.raises(UserError, match="sees the image"):
                getattr(decoder, method)(value)
        with pytest.raises(UserError, match="sees the image"):
            decoder.fuse(features, features)
        return
    assert decoder.late_fusion
    text, image = decoder.text_states(tokens), decoder.image_states(features)
    assert text.shape == (4, 6, 7) and image.shape == (4, 7)
    torch.testing.assert_close(decoder.fuse(text, image[:, None]), decoder.hidden_states(features, tokens))
    nothing = torch.full_like(image, 0.0)
    torch.testing.assert_close(decoder.refined(features), decoder.fuse(nothing, image))
    # every image with every caption, from one run over the captions
    pairs = decoder.output(decoder.fuse(text[None], image[:, None, None]))  # (images, captions, T + 1, V + 1)
    torch.testing.assert_close(pairs[3, 1], decoder(features[3:], tokens[1:2])[0])


@torch.no_grad()
def test_ablations_by_hand():
    """Which path is cut: the last word reaches the scores through it alone when the memory's share is zero."""
    features, tokens = sample()
    changed = tokens.clone()
    changed[:, 2] = tokens[:, 2] % WORDS + 1
    for variant, heard in (("paper", True), ("no word in the multimodal layer", False)):
        decoder = make(**VARIANTS[variant])
        decoder.memory_to_multimodal.weight.zero_()
        same = torch.equal(decoder(features, tokens)[:, 3], decoder(features, changed)[:, 3])
        assert same != heard
    for variant, seen in (("paper", False), ("image in the recurrence", True), ("image in both, shared", True)):
        decoder = make(**VARIANTS[variant])
        here, there = (
            decoder.hidden_step(tokens[:, 0], decoder.init_state(f))[1]["hidden"] for f in (features, -features)
        )
        assert torch.equal(here, there) != seen


@torch.no_grad()
def test_image_in_both_layers_by_hand():
    decoder = make(image_input="both_shared")
    features, tokens = sample()
    p = weights(decoder)
    image = features @ p["image_to_recurrent.weight"].T
    word = p["words.second.weight"] @ p["words.embedding.weight"][0] + p["words.second.bias"]
    memory = (word + image).clamp(min=0)
    total = memory @ p["memory_to_multimodal.weight"].T + p["memory_to_multimodal.bias"]
    total = total + word @ p["word_to_multimodal.weight"].T + image @ p["image_to_multimodal.weight"].T
    torch.testing.assert_close(decoder.hidden_states(features, tokens)[:, 0], scaled_tanh(total))


@pytest.mark.parametrize("place", ["embedding_dropout", "recurrent_dropout", "multimodal_dropout"])
def test_dropout_only_in_training_and_where_asked(place):
    decoder = make(**{place: 0.5})
    features, tokens = sample()
    torch.testing.assert_close(decoder(features, tokens), paper_scores(decoder, features, tokens))
    decoder.train()
    text_varies = not torch.equal(decoder.text_states(tokens), decoder.text_states(tokens))
    assert text_varies == (place != "multimodal_dropout")
    assert not torch.equal(decoder(features, tokens), decoder(features, tokens))


def test_shared_embedding_is_one_parameter():
    decoder = make(share_embedding=True)
    assert [name for name in weights(decoder) if weights(decoder)[name].shape == (WORDS + 1, 5)] == [
        "words.embedding.weight"
    ]
    before = decoder.output(torch.ones(1, 7))
    decoder.words.embedding.weight.data.mul_(2)
    after = decoder.output(torch.ones(1, 7))
    torch.testing.assert_close(after - decoder.output.bias, 2 * (before - decoder.output.bias))


def test_words_named_from_the_image_alone():
    decoder = make()
    features, tokens = sample()
    decoder.check_word_loss()
    log_probs = decoder.output(scaled_tanh(decoder.image_states(features))).log_softmax(dim=1)
    expected = -log_probs[1, tokens[1].unique()[1:]].mean()  # the first of the distinct ids is the padding
    losses = decoder.word_loss(features, tokens)
    torch.testing.assert_close(losses[1], expected)
    assert losses[2] == 0
    with pytest.raises(UserError, match="sees the image"):
        make(image_input="recurrent").check_word_loss()


@pytest.mark.parametrize("cls", [MRNNDecoder, InitDecoder])
def test_start_near_the_logarithm_of_the_classes(cls):
    """With features as a network gives them: non-negative, a few thousand, of norm about 40."""
    torch.manual_seed(0)
    decoder = cls(4096, 2000).eval()
    features = torch.randn(16, 4096).relu() * 0.9
    tokens = torch.randint(1, 2001, (16, 12))
    with torch.no_grad():
        loss = decoder.loss(features, tokens).sum() / (16 * 13)
    assert loss.item() == pytest.approx(math.log(2001), abs=0.35)


def test_relu_memory_starts_by_keeping_what_was_said():
    assert torch.equal(ReLUCell(3).weight_hh, torch.eye(3))


@torch.no_grad()
@pytest.mark.parametrize("cls", [TensorFlowGRUCell, PeepholeLSTMCell])
def test_gated_memory_starts_by_keeping_most(cls):
    """The gate that keeps is open by sigmoid(1) where weights say nothing, and nothing is written."""
    cell = cls(5, 6)
    cell.weight_ih.zero_()
    cell.weight_hh.zero_()
    memory = tuple(torch.full((2, 6), 2.0) for _ in cell.memories)
    last = cell.advance(cell.project(torch.ones(2, 5)), memory)[-1]
    torch.testing.assert_close(last, torch.full((2, 6), 2 * 0.7310586))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "rnn"}, "model.decoder.cell=rnn is none of relu, gru and lstm"),
        ({"second_embedding": False}, "cell=relu adds words of width 5 to a memory of width 6"),
        ({"word_input": "third"}, "word_input=third is none of second, first, none"),
        ({"image_input": "all"}, "image_input=all is none of multimodal, recurrent"),
        ({"activation": "gelu"}, "activation=gelu is none of scaled_tanh"),
        ({"activate": "before"}, "activate=before is none of sum, branches"),
        ({"embedding_activation": "x"}, "embedding_activation=x"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        make(**settings)


def test_other_decoders_say_that_they_see_the_image():
    decoder = LSTMDecoder(5, 3, embedding_dim=4, hidden_dim=4)
    assert not decoder.late_fusion
    with pytest.raises(UserError, match="this LSTMDecoder sees the image"):
        decoder.text_states(torch.ones(1, 2, dtype=torch.int64))


@pytest.mark.parametrize("cls", [MRNNDecoder, InitDecoder])
def test_describes_regions_as_any_decoder_does(cls, make_captioner, batch):
    model = make_captioner()
    model.decoder = cls(20, 30, embedding_dim=8, hidden_dim=10)
    optimizer = torch.optim.Adam(model.decoder.parameters(), lr=0.03)
    losses = []
    for _ in range(20):
        loss = model(batch, torch.Generator().manual_seed(0))["caption"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    regions = model.eval().caption_images([batch.images[0]])[0]
    assert regions and all(math.isfinite(region.log_prob) for region in regions)
