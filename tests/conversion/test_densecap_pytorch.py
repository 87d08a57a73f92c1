"""soloist97's model after conversion finds and says what torchvision's own parts give."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from densecap import checkpoint
from densecap.builder import build
from densecap.conversion import densecap_pytorch
from densecap.conversion.beside import Beside
from densecap.conversion.table import convert, recognised
from densecap.conversion.writing import save
from densecap.errors import UserError
from densecap.models.captioner import Captioner
from densecap.models.generation import GenerationSettings, generate
from densecap.models.localization.fpn import FPNLocalization
from densecap.ops.anchors import Level
from densecap.text.vocabulary import Vocabulary
from tests.fakes.densecap_pytorch import Describer, Model, save_model, save_tables


@dataclass
class Case:
    """Their model, its file and tables, and ours from its checkpoint."""

    theirs: Model
    path: Path
    beside: Beside
    ours: Captioner


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("densecap_pytorch")
    theirs = Model(seed=1)
    path, beside = save_model(folder / "model.pth.tar", theirs), Beside(save_tables(folder / "VG-regions-dicts.pkl"))
    save(convert(path, beside=beside).content, folder / "model.ckpt")
    return Case(theirs, path, beside, checkpoint.load(folder / "model.ckpt").model)


#: Two maps.
GEOMETRY = (Level(4, 0.0), Level(8, 0.0))


def photo(height: int, width: int) -> torch.Tensor:
    """Coarse squares with noise."""
    random = np.random.default_rng(1)
    squares = random.integers(0, 256, (3, height // 20 + 1, width // 24 + 1)).repeat(20, 1).repeat(24, 2)
    noisy = squares[:, :height, :width] + random.integers(-30, 30, (3, height, width))
    return torch.from_numpy(np.clip(noisy, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("size", [(128, 192), (101, 180)], ids=["whole cells", "filled up"])
def test_boxes_scores_and_captions_are_theirs(case: Case, size: tuple[int, int]) -> None:
    image = photo(*size)
    boxes, scores, captions = case.theirs.describe(image)
    case.ours.image_size = max(size)  # the photo's own, so that nothing is resized
    regions = case.ours.caption_images([image])[0]
    assert len(regions) == len(boxes) > 20 and len(set(captions)) > 5
    torch.testing.assert_close(torch.tensor([region.box for region in regions]), boxes, atol=0.02, rtol=1e-4)
    torch.testing.assert_close(torch.tensor([region.score for region in regions]), scores, atol=1e-4, rtol=1e-3)
    assert [region.caption for region in regions] == captions


def test_what_comes_along(case: Case) -> None:
    found = recognised(case.path)
    assert found is not None and found.name == "densecap_pytorch"
    foreign = densecap_pytorch.read(densecap_pytorch.opened(case.path), case.path, case.beside)
    assert foreign.config["image_size"] == 400
    assert case.ours.vocabulary.words == ["<UNK>", "a", "dog", "on", "grass", "red"]
    assert (case.ours.detection.max_detections, case.ours.generation.max_length) == (100, 16)
    assert foreign.figures == {"validation dense_mAP, its own": 0.0938, "validation detection mAP, its own": 0.253}


def test_todays_names_give_the_same(case: Case) -> None:
    states = case.theirs.old_names(), case.theirs.state_dict()
    old, new = (densecap_pytorch.read({"model": state}, case.path, case.beside) for state in states)
    assert old.config == new.config and old.weights.keys() == new.weights.keys()
    assert all(np.array_equal(old.weights[name], new.weights[name]) for name in old.weights)


def test_two_layers_of_memory(case: Case) -> None:
    torch.manual_seed(2)
    describer = Describer(layers=2)
    for weight in describer.parameters():
        weight.data.mul_(4)
    state = {f"roi_heads.box_describer.{name}": value for name, value in describer.state_dict().items()}
    foreign = densecap_pytorch.read({"model": case.theirs.old_names() | state}, case.path, case.beside)
    decoder = build(foreign.config["decoder"])(feature_dim=24, vocabulary_size=len(foreign.words))
    weights = {name: torch.from_numpy(value.copy()) for name, value in foreign.weights.items() if "decoder" in name}
    decoder.load_state_dict({name.removeprefix("decoder."): value for name, value in weights.items()})
    codes, vocabulary = torch.randn(30, 24), Vocabulary(foreign.words)
    with torch.no_grad():
        said = generate(decoder, codes, GenerationSettings(max_length=16), vocabulary)
        theirs = describer.captions(codes)
    assert [vocabulary.decode(row) for row in said.tokens.tolist()] == theirs and len(set(theirs)) > 5


def test_what_cannot_be_mapped_is_said(case: Case, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no words: give the look-up tables that preprocess.py wrote"):
        convert(case.path)
    (tmp_path / "words.txt").write_text("<pad>\n<bos>\n")
    with pytest.raises(UserError, match="holds 2 words without <eos>, but .* was trained on 9"):
        convert(case.path, beside=Beside(vocabulary=tmp_path / "words.txt"))
    merge = {"roi_heads.box_describer.fc_layer.weight": torch.zeros(9, 12 + 10)}
    for changes, message in (
        (merge, "was trained with fusion_type=merge, whose words are chosen"),
        ({"rpn.head.conv.bias": torch.zeros(3)}, "rpn.head.conv.bias should be 256, but it is 3"),
        ({"backbone.body.bn1.weight": None}, "there should be a tensor backbone.body.bn1.weight"),
        ({"roi_heads.box_head.fc7.bias": torch.zeros(1).expand(24)}, "shows 24 numbers of fewer that there are"),
        ({"backbone.body.bn1.running_var": torch.zeros(64)}, "values that are not numbers in backbone.stages.0.0.norm"),
    ):
        content = {"model": case.theirs.old_names() | changes}
        with pytest.raises(UserError, match=message):
            densecap_pytorch.convert(content, case.path, case.beside)
    path = tmp_path / "other.pth"
    torch.save({"model": {"weight": torch.zeros(3)}}, path)
    with pytest.raises(UserError, match="is in no format that is known here"):
        convert(path)
    with pytest.raises(UserError, match="it should hold tensors under 'model', some of roi_heads.box_describer"):
        convert(path, "densecap_pytorch")


def test_pickled_objects_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return (os.system, ("touch touched",))

    monkeypatch.chdir(tmp_path)
    for old in (True, False):
        torch.save({"model": {}, "args": Evil()}, "a.pth.tar", _use_new_zipfile_serialization=not old)
        with pytest.raises(UserError, match="if you trust where it comes from, copy its tensors on purpose: python -c"):
            convert(Path("a.pth.tar"), "densecap_pytorch")
    assert not Path("touched").exists()


def test_the_localization_layer_trains_and_takes_no_compat() -> None:
    layer = FPNLocalization(4, GEOMETRY, anchors=[(16.0, 16.0), (64.0, 64.0)])
    maps = (torch.randn(1, 4, 16, 16, requires_grad=True), torch.randn(1, 4, 8, 8))
    pooled = layer.pool([([0], maps)], [torch.tensor([[0.0, 0.0, 40.0, 50.0]])], [(64, 64)])
    assert pooled.shape == (1, 4, 7, 7)
    pooled.sum().backward()
    assert maps[0].grad is not None and maps[0].grad.abs().sum() > 0
    none = layer.pool([([0], maps)], [torch.zeros(0, 4)], [(64, 64)])
    assert none.shape == (0, 4, 7, 7)
    with pytest.raises(UserError, match="choose model/localization=fcln"):
        FPNLocalization(4, GEOMETRY, replace(layer.conventions, misregistered_pooling=True), anchors=[(9.0, 9.0)] * 2)
