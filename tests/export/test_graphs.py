"""The modules that are traced compute what the model does, before anything is traced."""

import numpy as np
import pytest
import torch

from densecap.export.graphs import Detector, Encoder, Start, Step
from densecap.export.plain_layers import with_plain_layers
from densecap.models.backbones.folding import ConvNorm
from densecap.onnx_runtime.suppression import kept_boxes
from tests.fakes.backbones import build_backbone, photo
from tests.fakes.whole_images import noise, small_image_captioner


def varied(model):
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith(("localization", "recognition")) and parameter.dim() > 1:
                parameter.normal_(0, 0.05)
    return model.eval()


@pytest.mark.parametrize("compat", [None, "densecap2016"])
@pytest.mark.parametrize("size", [(64, 64), (40, 64), (64, 25)])
def test_a_detector_finds_what_the_model_finds(make_captioner, compat, size):
    model = varied(make_captioner(compat))
    image = noise(*size)
    wanted = model.detect(image[None], [size])[0]
    with torch.no_grad():
        boxes, logits, features = Detector(with_plain_layers(model), model.detection, limited=True)(image)
    kept = kept_boxes(boxes.numpy(), logits.numpy(), model.detection)
    assert len(wanted.boxes) > 3 and np.allclose(boxes[kept], wanted.boxes, atol=1e-3)
    assert torch.allclose(logits[kept], wanted.logits, atol=1e-5)
    assert torch.allclose(features[kept], wanted.codes, atol=1e-5)


def test_words_step_by_step(make_captioner):
    model = varied(make_captioner())
    features, tokens = torch.randn(4, 20), torch.randint(1, 30, (4, 3))
    start = Start(model)
    step = Step(model, start.names)
    with torch.no_grad():
        state = start(features)
        for place in range(4):
            token = torch.full((4,), model.vocabulary.start) if place == 0 else tokens[:, place - 1]
            scores, *state = step(token, *state)
            wanted = model.decoder(features, tokens)[:, place]
            assert torch.allclose(scores, wanted, atol=1e-5)


def test_a_whole_image_is_scaled_where_its_caption_begins():
    model = small_image_captioner(feature_scaling="unit").eval()
    image = noise(64, 64)
    with torch.no_grad():
        features = Encoder(model)(image[None, :, ::2, ::2])
        assert torch.allclose(Start(model)(features)[0], model.decoder.init_state(model.scaling(features))["hidden"])


@pytest.mark.parametrize("name", ["mobilenet_v2"])
def test_folded_layers_become_plain_ones(name):
    backbone = build_backbone(name).eval()
    with torch.no_grad():
        for module in backbone.modules():
            if isinstance(module, ConvNorm):
                module.norm.running_mean.normal_(0, 0.1)
                module.norm.running_var.uniform_(0.5, 2)
        plain = with_plain_layers(backbone)
        assert not any(isinstance(module, ConvNorm) for module in plain.modules())
        for own, other in zip(backbone(photo(64, 96)), plain(photo(64, 96))):
            assert torch.allclose(own, other, atol=1e-4 * float(own.abs().max()))
