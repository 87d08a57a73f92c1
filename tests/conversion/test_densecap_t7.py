"""DenseCap's released file: the converted model gives the boxes, scores and captions that the formulas give.

The reference is a plain NumPy transcription of the Lua code; the file is written in the object structure of train.lua.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from densecap import checkpoint
from densecap.cli.composition import compose
from densecap.conversion import densecap_t7
from densecap.conversion.table import convert, recognised
from densecap.conversion.torch7.reader import read
from densecap.conversion.writing import save
from densecap.errors import UserError
from densecap.models.backbones.vgg16 import CONFIGURATION
from tests.fakes import densecap_2016, torchfile_reading
from tests.fakes.densecap_t7 import ANCHORS, WIDTHS, Sizes, random_weights, save_densecap_t7, sparse_checkpoint
from tests.fakes.torch7 import Obj, View
from tests.fakes.torch7 import save as save_t7

SEED = 5  # a draw in which no box, score or word is decided by less than a float32's error


@dataclass
class Case:
    """A file and what is known of it."""

    path: Path
    sizes: Sizes
    weights: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    path = tmp_path_factory.mktemp("t7") / "densecap.t7"
    sizes = Sizes()
    return Case(path, sizes, save_densecap_t7(path, sizes, weights=random_weights(sizes, SEED)))


def photo(height: int = 99, width: int = 125) -> np.ndarray:
    """(H, W, 3) uint8: coarse squares with noise, sizes that no pooling halves evenly."""
    random = np.random.default_rng(1)
    squares = random.integers(0, 256, (height // 16 + 1, width // 14 + 1, 3)).repeat(16, 0).repeat(14, 1)
    noisy = squares + random.integers(-30, 30, squares.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)[:height, :width]


def caption(tokens: np.ndarray, words: list[str]) -> str:
    """Lua's ids: words from 1, END behind them."""
    ended = np.flatnonzero(tokens == len(words) + 1)
    return " ".join(words[token - 1] for token in tokens[: ended[0] if len(ended) else None])


def test_boxes_scores_and_captions_are_those_of_the_formulas(case: Case, tmp_path: Path) -> None:
    image = photo()
    expected = densecap_2016.run(case.weights, image, ANCHORS, case.sizes.words, case.sizes.length)
    assert expected.margin > 1e-4 and expected.proposals > 100
    save(convert(case.path).content, tmp_path / "model.ckpt")
    model = checkpoint.load(tmp_path / "model.ckpt").model
    model.image_size = 125  # the photo's own, so that nothing is resized
    found = model.caption_images([torch.from_numpy(image).permute(2, 0, 1)])[0]
    x, y, w, h = expected.boxes.T
    corners = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1) - 0.5  # pixel 1 is centred at 0.5
    assert len(found) == len(corners)
    np.testing.assert_allclose([region.box for region in found], corners, atol=1e-4 * 125)
    np.testing.assert_allclose([region.score for region in found], 1 / (1 + np.exp(-expected.logits)), atol=1e-4)
    said = [caption(row, model.vocabulary.words) for row in expected.tokens]
    assert [region.caption for region in found] == said
    assert len(set(said)) > 10 and len({len(text.split()) for text in said}) > 2


@pytest.mark.parametrize("long_size", [8, 4])
def test_the_file_is_read_as_torchfile_reads_it(case: Case, tmp_path: Path, long_size: int) -> None:
    path = case.path
    if long_size == 4:
        path = tmp_path / "short.t7"
        save_densecap_t7(path, case.sizes, long_size=4, weights=case.weights)
    file = read(path)
    assert file.long_size == long_size
    assert torchfile_reading.difference(file.root, torchfile_reading.load(path, long_size)) is None


@pytest.mark.parametrize(
    "options",
    [{"library": "cudnn"}, {"library": "mm", "long_size": 4}, {"cuda": True}],
    ids=["cudnn", "matrices of filters, 32 bits", "cuda"],
)
def test_every_variant_gives_the_same_tensors(case: Case, tmp_path: Path, options: dict[str, Any]) -> None:
    save_densecap_t7(tmp_path / "other.t7", case.sizes, weights=case.weights, **options)
    expected, found = (densecap_t7.read(read(path)) for path in (case.path, tmp_path / "other.t7"))
    assert found.config == expected.config and found.words == expected.words
    assert found.weights.keys() == expected.weights.keys()
    assert all(np.array_equal(found.weights[name], expected.weights[name]) for name in found.weights)


def test_two_layers_of_memory_say_what_the_formulas_say(tmp_path: Path) -> None:
    sizes = Sizes(layers=2, words=6, embedding=5, memory=8, hidden=10)
    weights = save_densecap_t7(tmp_path / "two.t7", sizes)
    foreign = densecap_t7.read(read(tmp_path / "two.t7"))
    decoder = checkpoint.build(foreign.config["decoder"])(feature_dim=10, vocabulary_size=6)
    own = {name: torch.from_numpy(value.copy()) for name, value in foreign.weights.items() if "decoder" in name}
    decoder.load_state_dict({name.removeprefix("decoder."): value for name, value in own.items()})
    codes = np.random.default_rng(2).standard_normal((40, 10)) * 3
    tokens, lead = densecap_2016.describe(weights, codes, 6, 4)
    state = decoder.init_state(torch.from_numpy(codes).float())
    step = torch.full((40,), 7)
    ended = torch.zeros(40, dtype=torch.bool)
    for place in range(4):
        scores, state = decoder.step(step, state)
        step = scores.argmax(dim=1)
        expected = torch.from_numpy(tokens[:, place] % 7)  # Lua's END, 7, is our 0
        assert torch.equal(step[~ended], expected[~ended])
        ended |= step == 0
    assert lead > 1e-4 and len({tuple(row) for row in tokens}) > 4


def test_the_configuration_is_that_of_the_model_of_2016(case: Case) -> None:
    composed = compose("train", ["model=densecap_vgg16_2016", "data.root=x", "paths.output_dir=x"])
    expected = OmegaConf.to_container(composed.model, resolve=True)
    made = densecap_t7.read(read(case.path)).config
    sizes = {
        "localization": {"hidden_channels": case.sizes.proposals},
        "recognition": {"hidden_dim": case.sizes.hidden, "pool_size": 7},
        "decoder": {"embedding_dim": case.sizes.embedding, "hidden_dim": case.sizes.memory},
        "backbone": {"normalization": "caffe_bgr"},
    }
    for part, values in sizes.items():
        expected[part] |= values  # type: ignore[index, call-overload]
    assert made == expected
    assert WIDTHS == CONFIGURATION


def test_the_checkpoint_keeps_words_source_and_figures(case: Case, tmp_path: Path) -> None:
    made = convert(case.path)
    save(made.content, tmp_path / "model.ckpt")
    loaded = checkpoint.load(tmp_path / "model.ckpt")
    assert loaded.model.vocabulary.words == [f"word{index}" for index in range(1, 9)] + ["<UNK>"]
    assert loaded.model.detection.max_proposals == 1000 and loaded.model.detection.final_nms_iou == 0.3
    assert loaded.model.generation.max_length == case.sizes.length and loaded.data_name == "visual_genome"
    source = checkpoint.read(tmp_path / "model.ckpt")["densecap"]["source"]
    assert source["file"] == "densecap.t7" and source["bytes"] == case.path.stat().st_size
    assert len(source["sha256"]) == 64 and source["format"] == "densecap_t7" and source["iterations"] == 20000
    assert source["figures"] == {"validation dense_mAP": 0.057}
    assert recognised(case.path).name == "densecap_t7"  # type: ignore[union-attr]
    assert "15,274,417 parameters, 9 words" in made.found


def test_the_parameters_of_the_released_model_add_up() -> None:
    """135,734,875 learned outside the trunk for 10,509 words, as its training printed."""
    composed = compose("train", ["model=densecap_vgg16_2016", "data.root=x", "paths.output_dir=x"])
    from densecap.text.vocabulary import Vocabulary

    with torch.device("meta"):
        words = Vocabulary([str(index) for index in range(10_509)])
        model = checkpoint.build_model(OmegaConf.to_container(composed.model, resolve=True), words, pretrained=False)
    total = sum(value.numel() for value in model.parameters())
    assert total - sum(value.numel() for value in model.backbone.parameters()) == 135_734_875


# Files that are not as expected.


def module(nets: dict[str, Any], name: str, *path: int) -> dict[str, Any]:
    found = nets[name]
    for index in path:
        found = found.content["modules"][index]
    return found.content


def rpn(nets: dict[str, Any]) -> Obj:
    return nets["localization_layer"].content["nets"]["rpn"]


def wrong(name: str, made: dict[str, Any], nets: dict[str, Any]) -> None:
    """Spoil a checkpoint in the way that ``name`` says."""
    if name == "no model":
        del made["model"]
    elif name == "no language model":
        del nets["language_model"]
    elif name == "a layer less":
        del module(nets, "conv_net2")["modules"][0]
    elif name == "another width":
        module(nets, "conv_net1", 0)["weight"] = View(module(nets, "conv_net1", 0)["weight"].store, (32, 3, 3, 3))
    elif name == "no bias":
        del module(nets, "conv_net1", 2)["bias"]
    elif name == "a number for a tensor":
        module(nets, "recog_base", 1)["bias"] = 7
    elif name == "no recurrence":
        nets["language_model"].content["rnn"].content["modules"].pop(0)
    elif name == "words missing":
        nets["language_model"].content["idx_to_token"] = {1: "a", 3: "b"}
    elif name == "no words":
        del nets["language_model"].content["idx_to_token"], made["opt"]["idx_to_token"]
    elif name == "fewer words":
        nets["language_model"].content["idx_to_token"] = {1: "a", 2: "b"}
    elif name == "the same word twice":
        nets["language_model"].content["idx_to_token"] = dict.fromkeys(range(1, 10), "a")
    elif name == "other centres":
        maker = rpn(nets).content["modules"][2].content["modules"][0].content["modules"][2].content["modules"][0]
        maker.content["modules"][0].content["x0"] = 7.5
    elif name == "no anchors":
        rpn(nets).content["modules"][2].content["modules"][0].content["modules"].pop(2)
    elif name == "a map that is not square":
        layer = module(nets, "recog_base", 1)
        layer["weight"] = View(layer["weight"].store, (20, 512 * 48))
    elif name == "a container in itself":
        nets["conv_net1"].content["modules"].append(nets["conv_net1"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no model", "at the top there should be 'nets', but it is a table with opt, iter, loss_history"),
        ("no language model", "in model.nets there should be 'language_model', but it is a table with conv_net1"),
        (
            "a layer less",
            "in model.nets.conv_net2 conv3_1 to conv5_3 should be 9 layers .* there are 8: nn.SpatialConv",
        ),
        (
            "another width",
            r"in .*conv_net1.modules\[1\].weight there should be a tensor of 64 x 3 x 3 x 3, .* of 32 x 3",
        ),
        (
            "no bias",
            r"conv_net1.modules\[3\] there should be 'bias', but it is a nn.SpatialConvolution with .*, gradBias, ",
        ),
        ("a number for a tensor", r"recog_base.modules\[2\].bias there should be a tensor, but it is 7.0"),
        (
            "no recurrence",
            "language_model.rnn there should be nn.LSTM and then nn.Linear, but the modules are nn.Linear",
        ),
        ("words missing", "idx_to_token there should be a word for each id from 1, but 2 is nothing"),
        ("no words", "in model.nets.language_model there should be 'idx_to_token', but it is a nn.LanguageModel with"),
        ("fewer words", "lookup_table.weight there should be a tensor of 4 x 7, .* of 11 x 7"),
        ("the same word twice", "has a broken vocabulary: .* repeated: .'a'"),
        ("other centres", "x0 should be 8.5, but it is 7.5"),
        ("no anchors", "there should be one nn.MakeAnchors, but there are 0"),
        ("a map that is not square", "fc6 should read a square map of 512 channels, but it reads 24,576 values"),
        ("a container in itself", "there are more than 10,000 modules"),
    ],
)
def test_what_is_found_instead_is_said(tmp_path: Path, name: str, message: str) -> None:
    made, nets = sparse_checkpoint()
    wrong(name, made, nets)
    save_t7(tmp_path / "a.t7", made)
    with pytest.raises(UserError, match=message):
        convert(tmp_path / "a.t7", "densecap_t7")


def test_values_that_are_no_numbers_are_refused(case: Case, tmp_path: Path) -> None:
    broken = case.weights | {"fc7.bias": np.full(case.sizes.hidden, np.nan, np.float32)}
    save_densecap_t7(tmp_path / "a.t7", case.sizes, weights=broken)
    with pytest.raises(UserError, match="holds values that are not numbers in recognition.fc7.bias"):
        convert(tmp_path / "a.t7")


def test_a_model_that_was_saved_by_itself_is_taken_too(tmp_path: Path) -> None:
    made, _ = sparse_checkpoint()
    save_t7(tmp_path / "a.t7", made["model"])
    assert recognised(tmp_path / "a.t7").name == "densecap_t7"  # type: ignore[union-attr]
    assert densecap_t7.read(read(tmp_path / "a.t7")).figures == {}


def test_words_are_found_among_the_options_too(tmp_path: Path) -> None:
    made, nets = sparse_checkpoint()
    del nets["language_model"].content["idx_to_token"]
    save_t7(tmp_path / "a.t7", made)
    assert densecap_t7.read(read(tmp_path / "a.t7")).words[:2] == ["word1", "word2"]


def test_a_truncated_file_is_noticed_wherever_it_ends(case: Case, tmp_path: Path) -> None:
    path, size = tmp_path / "cut.t7", case.path.stat().st_size
    with case.path.open("rb") as file:
        path.write_bytes(file.read(size // 3))
    for length in (size // 3, 20_000, 3_000, 100, 3):
        with path.open("r+b") as file:
            file.truncate(length)
        with pytest.raises(UserError, match=r"cut.t7 cannot be read as a Torch7 file: .*at byte .*is it complete"):
            convert(path)
