"""NeuralTalk2's captions, from its file and from the formulas of its Lua code."""

from pathlib import Path

import numpy as np
import pytest
import torch

from densecap import checkpoint
from densecap.builder import build
from densecap.conversion import neuraltalk2_t7
from densecap.conversion.table import convert, recognised
from densecap.conversion.torch7.reader import read
from densecap.conversion.writing import save
from densecap.errors import UserError
from densecap.models.generation import GenerationSettings, generate
from densecap.models.views import views
from densecap.text.vocabulary import Vocabulary
from tests.fakes.neuraltalk2_t7 import LENGTH, WORDS, caption, random_language, save_neuraltalk2_t7

FIRST = np.random.default_rng(3).standard_normal((64, 3, 3, 3), np.float32)


@pytest.mark.parametrize(("layers", "library", "seed"), [(1, "nn", 41), (2, "cudnn", 20)])
def test_the_language_model_says_what_the_lua_code_would(tmp_path: Path, layers: int, library: str, seed: int) -> None:
    language = random_language(layers, seed)
    path = tmp_path / "model.t7"
    save_neuraltalk2_t7(path, language, FIRST, library)
    found = recognised(path)
    assert found is not None and found.name == "neuraltalk2_t7"
    foreign = neuraltalk2_t7.read(read(path))
    decoder = build(foreign.config["decoder"])(feature_dim=4096, vocabulary_size=len(WORDS))
    weights = {name: torch.from_numpy(value.copy()) for name, value in foreign.weights.items() if "decoder" in name}
    decoder.load_state_dict({name.removeprefix("decoder."): value for name, value in weights.items()})
    features = np.random.default_rng(5).standard_normal((12, 4096)).astype(np.float32)
    vocabulary = Vocabulary(foreign.words)
    said = generate(decoder, torch.from_numpy(features), GenerationSettings(max_length=LENGTH), vocabulary)
    ours = [vocabulary.decode(row) for row in said.tokens.tolist()]
    assert ours == caption(language, features) and len(set(ours)) > 4


def test_the_first_layer_sees_the_same_pixels(tmp_path: Path) -> None:
    """Theirs reads RGB less its mean; ours turns the channels of the image and those of the filters."""
    path = tmp_path / "model.t7"
    save_neuraltalk2_t7(path, random_language(), FIRST)
    foreign = neuraltalk2_t7.read(read(path))
    image = torch.randint(256, (1, 3, 12, 12), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    pixels = image.double() - torch.tensor([123.68, 116.779, 103.939], dtype=torch.float64).view(1, 3, 1, 1)
    theirs = torch.nn.functional.conv2d(pixels, torch.from_numpy(FIRST).double(), padding=1)
    backbone = build(foreign.config["backbone"] | {"classifier": False})
    filters = torch.from_numpy(foreign.weights["backbone.features.0.weight"].copy())
    ours = torch.nn.functional.conv2d(backbone.normalize(image), filters, padding=1)
    torch.testing.assert_close(ours.double(), theirs, atol=1e-2, rtol=1e-4)


@pytest.mark.long
def test_the_checkpoint_describes_photos(tmp_path: Path) -> None:
    path = tmp_path / "model.t7"
    save_neuraltalk2_t7(path, random_language(), FIRST)
    made = convert(path)
    save(made.content, tmp_path / "model.ckpt")
    model = checkpoint.load(tmp_path / "model.ckpt").model
    assert model.vocabulary.words == ["a", "<UNK>", "dog", "on", "grass"]
    assert (model.crop, model.generation.max_length) == ("squash_center", LENGTH)
    source = made.content["densecap"]["source"]
    assert source["iterations"] == 70000 and source["figures"] == {"validation CIDEr": 0.9}
    (region,) = model.caption_images([torch.zeros(3, 40, 60, dtype=torch.uint8)])[0]
    assert region.box == (0, 0, 60, 40)


def test_the_middle_of_the_squashed_image_is_seen() -> None:
    image = torch.randint(256, (3, 64, 64), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    assert torch.equal(views(image, 56, "squash_center")[0], image[:, 4:60, 4:60])  # 64 is 8/7 of 56
    assert views(torch.zeros(3, 30, 90, dtype=torch.uint8), 56, "squash_center").shape == (1, 3, 56, 56)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    language = random_language()
    path = tmp_path / "model.t7"
    save_neuraltalk2_t7(path, {name: value for name, value in language.items() if "h2h" not in name})
    with pytest.raises(UserError, match="in protos.lm the graph should have nodes called .* it lacks h2h_1"):
        convert(path)
    with pytest.raises(UserError, match="at the top there should be 'model'|'nets'"):
        convert(path, "densecap_t7")
