"""Graphs in ONNX, made once and run in many ways: as PyTorch says, without PyTorch, and when they are broken."""

import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from densecap import checkpoint
from densecap.commands.info import describe
from densecap.data.images import read_image
from densecap.errors import UserError
from densecap.export import onnx_folder, torch_folder
from densecap.export.comparison import compared
from densecap.onnx_runtime.captioner import OnnxCaptioner
from tests.fakes.small_model import WHOLE, save_small_model
from tests.fakes.whole_images import noise

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
pytestmark = pytest.mark.long

PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "photos"


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dense")
    loaded = checkpoint.load(save_small_model(folder / "m.ckpt"))
    (folder / "onnx").mkdir()
    onnx_folder.write(loaded, folder / "onnx", loaded.model.origin)
    return loaded, folder / "onnx"


@pytest.fixture
def broken(dense, tmp_path):
    """A copy to break."""
    return Path(shutil.copytree(dense[1], tmp_path / "broken"))


@pytest.mark.parametrize("size", [(96, 96), (40, 120), (300, 200)])
def test_pictures_of_any_size_as_pytorch_says(dense, size):
    loaded, folder = dense
    said = onnx_folder.check(loaded, folder, noise(*size))
    found = len(loaded.model.caption_images([noise(*size)])[0])
    assert found > 5 and f": {found} regions" in said and f" {found} captions the same" in said


def test_photos_as_pytorch_says(dense):
    photos = sorted(PHOTOS.glob("*.jpg")) if PHOTOS.is_dir() else []
    if not photos:
        pytest.skip("there are no photos beside the repository")
    for photo in photos:
        assert "captions the same" in onnx_folder.check(*dense, read_image(photo))


def test_a_difference_is_noticed(dense):
    loaded, folder = dense
    exported, picture = OnnxCaptioner.load(folder), noise(80, 96)
    regions = exported.caption_images([picture.numpy()])[0]
    features = exported.features(picture.numpy(), exported.detection)
    moved = [replace(region, box=tuple(value + 0.2 for value in region.box)) for region in regions]
    renamed = [replace(region, caption="word1 word2") for region in regions]
    for wrong, message in ((moved, "boxes up to 0.2"), (renamed, "where PyTorch says"), (moved[:3], "finds 3 regions")):
        with pytest.raises(UserError, match=message):
            compared(loaded.model, picture, wrong, features, "the graph")


def test_settings_can_be_changed(dense):
    loaded, folder = dense
    exported, picture = OnnxCaptioner.load(folder), noise(80, 96)
    for change in ({"max_proposals": 5}, {"proposal_nms_iou": 0.3}, {"final_nms_iou": 0.9}, {"score_threshold": 0.5}):
        detection = replace(loaded.model.detection, **change)
        wanted = loaded.model.caption_images([picture], detection)[0]
        found = exported.caption_images([picture.numpy()], detection)[0]
        assert [region.caption for region in found] == [region.caption for region in wanted]
        assert np.allclose([region.box for region in found], [region.box for region in wanted], atol=5e-3)


def test_nothing_of_this_machine_is_in_the_graphs(dense):
    for path in dense[1].iterdir():
        content = path.read_bytes()
        for trace in (b".py", str(Path.home()).encode() + b"/", b"site-packages", str(dense[0].path.parent).encode()):
            assert trace not in content, (path.name, trace)


@pytest.mark.parametrize("decoder", ["mrnn", "mrnn_tf"])
def test_captions_of_whole_images(tmp_path, decoder):
    sizes = ("model/decoder=mrnn_tf",) if decoder == "mrnn_tf" else ()
    options = tuple(item for item in WHOLE if not sizes or "second" not in item)
    loaded = checkpoint.load(save_small_model(tmp_path / "m.ckpt", options, *sizes, "model.crop=center"))
    onnx_folder.write(loaded, tmp_path, loaded.model.origin)
    assert "1 regions" in onnx_folder.check(loaded, tmp_path, noise(90, 70))


BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "pytorch_lightning", "torchmetrics"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
from densecap.cli import main
main("predict")
"""


def predict(*arguments, blocked=True):
    start = ["-c", BLOCKED] if blocked else ["-m", "densecap", "predict"]
    command = [sys.executable, *start, *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment)


def test_predict_runs_without_pytorch(dense, tmp_path):
    from PIL import Image

    loaded, folder = dense
    for number in range(3):
        Image.fromarray(noise(70 + number, 90).permute(1, 2, 0).numpy()).save(tmp_path / f"{number}.png")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    source, formats = f"source={tmp_path}/*.*g", "output.formats=[json,csv,images,crops,densecap]"
    done = predict(source, f"ckpt={folder / 'model.onnx'}", f"output.dir={tmp_path / 'out'}", formats)
    assert done.returncode == 1 and "skipped" in done.stderr, done.stderr
    document = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert document["complete"] and document["model"]["vocabulary"] == loaded.model.vocabulary.words
    assert (tmp_path / "out" / "images" / "0.jpg").is_file() and (tmp_path / "out" / "densecap" / "1.jpg").is_file()
    for image in document["images"]:
        wanted = loaded.model.caption_images([read_image(image["file"])])[0]
        assert [region["caption"] for region in image["regions"]] == [region.caption for region in wanted]
        boxes = [region["box"] for region in image["regions"]], [region.box for region in wanted]
        assert np.allclose(*boxes, atol=0.011)  # rounded to hundredths in the file
    again = predict(source, f"ckpt={folder}", f"output.dir={tmp_path / 'out'}", formats)
    assert "3 images were done before" in again.stderr
    refused = predict(source, f"ckpt={loaded.path}", f"output.dir={tmp_path / 'other'}")
    assert refused.returncode == 2 and "needs the package torch" in refused.stderr and "Traceback" not in refused.stderr


def test_damaged_graphs_give_a_sentence(broken):
    model, dice = broken / "model.onnx", random.Random(0)
    whole = model.read_bytes()
    for content in (b"", b"\0" * 100, whole[: len(whole) // 2], (2 * 10**9).to_bytes(8, "little") * 100):
        model.write_bytes(content)
        with pytest.raises(UserError, match="cannot be opened as ONNX|no model that densecap exported"):
            OnnxCaptioner.load(broken)
    for _ in range(12):
        content = bytearray(whole)
        for _ in range(3):
            content[dice.randrange(len(content))] = dice.randrange(256)
        model.write_bytes(content)
        for read in (OnnxCaptioner.load, describe):
            try:
                read(broken)
            except UserError as error:
                assert "\n" not in str(error)


def test_files_that_do_not_belong_together(broken):
    step = broken / "decoder_step.onnx"
    step.write_bytes((broken / "decoder_start.onnx").read_bytes())
    with pytest.raises(UserError, match="is not the one that was exported with model.onnx"):
        OnnxCaptioner.load(broken)
    step.unlink()
    with pytest.raises(UserError, match="needs decoder_step.onnx beside it"):
        OnnxCaptioner.load(broken)
    with pytest.raises(UserError, match="no model that densecap exported, as its model.onnx is"):
        OnnxCaptioner.load(broken / "decoder_start.onnx")
    with pytest.raises(UserError, match="is a model in ONNX, which predict takes"):
        checkpoint.load(broken)


def test_a_description_of_another_version(broken):
    import onnx

    graph = onnx.load(str(broken / "model.onnx"))
    (entry,) = [item for item in graph.metadata_props if item.key == "densecap"]
    about = json.loads(entry.value)
    for value, message in (
        (json.dumps(about | {"version": 99}), "newer densecap"),
        (json.dumps(about | {"words": "abc"}), "damaged description: words"),
        (json.dumps(about | {"detection": {"max_proposals": -1}}), "whole number above 0"),
        ("[" * 5000, "no JSON"),
    ):
        entry.value = value
        onnx.save(graph, str(broken / "model.onnx"))
        with pytest.raises(UserError, match=message):
            OnnxCaptioner.load(broken)


def test_info_of_graphs(dense):
    loaded, folder = dense
    for path in (folder, folder / "model.onnx"):
        made = describe(path)
        assert made.kind == "a dense captioner, DenseCaptioner (graphs in ONNX, format 1)"
        assert made.sections["vocabulary"]["words"] == 30 and made.sections["training"]["steps"] == 70
        assert made.sections["inputs and outputs"]["image"] == "3 x height x width"
        assert made.sections["parts"]["model.onnx"] > 10_000
    assert describe(folder / "decoder_step.onnx").kind == "a graph in ONNX, not of densecap"


def test_programs_of_torch_export(dense, tmp_path):
    loaded, _ = dense
    torch_folder.write(loaded, tmp_path, loaded.model.origin)
    assert "are those of the model" in torch_folder.check(loaded, tmp_path, noise(90, 75))
    made = describe(tmp_path)
    assert made.kind == "a dense captioner, DenseCaptioner (programs of torch.export)"
    assert made.sections["vocabulary"]["words"] == 30
    program = tmp_path / "model.pt2"
    whole, dice = program.read_bytes(), random.Random(1)
    assert b"site-packages" not in whole
    for number in range(20):
        content = bytearray(whole)
        for _ in range(5):
            content[dice.randrange(len(content))] = dice.randrange(256)
        program.write_bytes(content if number % 2 else whole[: dice.randrange(len(whole))])
        try:
            describe(tmp_path)
        except UserError as error:
            assert "\n" not in str(error)
