"""The parts that run without PyTorch, beside those that run with it."""

import numpy as np
import pytest
import torch

from densecap.errors import UserError
from densecap.models.decoders.lstm import LSTMDecoder
from densecap.models.generation import GenerationSettings, generate
from densecap.models.inference import Detections, _suppress
from densecap.models.settings import DetectionSettings
from densecap.models.views import CROPS, views
from densecap.onnx_runtime import decoding
from densecap.onnx_runtime.pixels import longest_side_resized, squares
from densecap.onnx_runtime.suppression import kept_boxes
from densecap.ops.resize import resize_image
from densecap.ops.resize_arrays import resize_array
from densecap.text.vocabulary import Vocabulary
from tests.fakes.whole_images import noise

HAS_AVX2 = "AVX" in torch.backends.cpu.get_cpu_capability()


def levels_apart(array, tensor):
    return int(np.abs(array.astype(int) - tensor.numpy().astype(int)).max(initial=0))


@pytest.mark.parametrize("seed", range(12))
def test_pixels_are_those_of_torchvision(seed):
    from torchvision.transforms.v2 import functional

    height, width, new_height, new_width = np.random.default_rng(seed).integers(2, 300, 4).tolist()
    image = noise(height, width, seed)
    for size in ((new_height, new_width), (height, new_width), (new_height, width)):
        wanted = functional.resize(image, list(size), antialias=True)
        assert levels_apart(resize_array(image.numpy(), *size), wanted) <= (0 if HAS_AVX2 else 1)


@pytest.mark.parametrize("filter_name", ["antialias", "densecap2016"])
def test_the_longest_side(filter_name):
    image = noise(75, 121)
    for longest in (40, 121, 300):
        made = longest_side_resized(image.numpy(), longest, filter_name)
        wanted = resize_image(image, longest, filter_name)
        assert made.shape == tuple(wanted.shape) and levels_apart(made, wanted) <= 1
    with pytest.raises(UserError, match="nearest"):
        longest_side_resized(image.numpy(), 40, "nearest")


@pytest.mark.parametrize("crop", CROPS)
def test_squares(crop):
    image = noise(70, 101)
    made, wanted = squares(image.numpy(), 56, crop), views(image, 56, crop)
    assert made.shape == tuple(wanted.shape) and levels_apart(made, wanted) <= 1


@pytest.mark.parametrize("settings", [{}, {"max_detections": 7}, {"score_threshold": 0.6}, {"final_nms_iou": 1.0}])
def test_suppression(make_captioner, settings):
    generator = torch.Generator().manual_seed(1)
    corners = torch.rand(200, 4, generator=generator) * 60
    boxes = torch.cat((corners[:, :2], corners[:, :2] + corners[:, 2:] - 5), dim=1)
    logits = (torch.randn(200, generator=generator) * 4).round() / 4  # with ties
    chosen = DetectionSettings(**settings)
    found = _suppress(
        make_captioner(), Detections(boxes.clamp(0, 64), logits, torch.arange(200.0)[:, None]), (64, 64), chosen
    )
    kept = kept_boxes(boxes.clamp(0, 64).numpy(), logits.numpy(), chosen)
    assert kept.tolist() == found.codes[:, 0].long().tolist()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"beam_size": 3},
        {"beam_size": 4, "num_captions": 3},
        {"beam_size": 3, "length_penalty": 0.7},
        {"min_length": 4, "max_length": 6},
        {"allow_unknown": False},
        {"beam_size": 40, "max_length": 2, "num_captions": 40},
    ],
)
def test_captions_are_those_of_generate(settings):
    torch.manual_seed(0)
    vocabulary = Vocabulary(["a", "red", "dog", "<UNK>"])
    decoder = LSTMDecoder(6, len(vocabulary), embedding_dim=8, hidden_dim=8).eval()
    with torch.no_grad():
        decoder.output.weight.mul_(8)
    chosen, features = GenerationSettings(**{"max_length": 5} | settings), torch.randn(9, 6)
    wanted = generate(decoder, features, chosen, vocabulary)

    @torch.no_grad()
    def step(tokens, state):
        scores, following = decoder.step(torch.from_numpy(tokens), {k: torch.from_numpy(v) for k, v in state.items()})
        return scores.numpy(), {name: value.numpy() for name, value in following.items()}

    with torch.no_grad():
        state = {name: value.numpy() for name, value in decoder.init_state(features).items()}
    made = decoding.generate(step, state, 9, chosen, vocabulary)
    assert made.tokens.tolist() == wanted.tokens.tolist()
    assert np.allclose(made.log_probs, wanted.log_probs.numpy(), atol=1e-4)
    assert np.allclose(made.token_log_probs, wanted.token_log_probs.numpy(), atol=1e-4)


def test_no_sequences():
    made = decoding.generate(
        lambda tokens, state: (tokens, state), {"hidden": np.zeros((0, 3))}, 0, GenerationSettings(), Vocabulary(["a"])
    )
    assert made.tokens.shape == (0, 15) and made.log_probs.shape == (0,)


@pytest.mark.parametrize("settings", [{"temperature": 1.0}, {"no_repeat_ngram": 2}, {"beam_size": 4, "num_groups": 2}])
def test_what_the_search_here_cannot_do_is_said(settings):
    with pytest.raises(UserError, match=rf"generation\.({'|'.join(settings)}) is not there for a model in ONNX"):
        decoding.check_settings(GenerationSettings(**settings))
