"""The extract_features command: what it writes is what a model sees, what is there is not computed again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

import densecap.commands.extract_features as command
from densecap import checkpoint
from densecap.checkpoint import LoadedModel
from densecap.data.hdf5 import RegionFile
from densecap.data.images import read_image
from densecap.errors import UserError
from densecap.features import extraction, parts
from densecap.models.backbones.conv_small import ConvSmall
from densecap.models.backbones.precomputed import Precomputed
from densecap.models.box_encoding import encode_images
from densecap.models.feature_file import FeatureFile
from densecap.models.inference import stack
from tests.conftest import miniature_captioner
from tests.fakes.checkpoints import save_checkpoint
from tests.fakes.visual_genome import write_visual_genome
from tests.fakes.whole_images import small_image_captioner, write_whole_images

ROOT = Path(__file__).parents[2]
NETWORK = {"widths": [6, 6, 6, 8], "num_blocks": 1}


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Seven prepared images of 48 x 64, and net.pth, the weights of a tiny backbone."""
    path = write_whole_images(tmp_path / "wholes.h5", ["train"] * 5 + ["val", "test"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "prepare", lambda data, console: path)
    torch.manual_seed(0)
    torch.save(ConvSmall(**NETWORK).state_dict(), "net.pth")
    return RegionFile(path)


def check_close(found, expected):
    """To a thousandth of the whole, because untrained networks give numbers far below one."""
    assert found.shape == expected.shape and expected.norm() > 0
    assert (found - expected).norm() < 1e-3 * expected.norm()


def network():
    return ConvSmall("net.pth", trainable=False, **NETWORK).eval()


def run(*options, batch_size=3):
    chosen = ["model/backbone=conv_small", "model.backbone.weights=net.pth", "model.backbone.num_blocks=1"]
    chosen += ["model.backbone.widths=[6,6,6,8]", "data.image_size=64", "output=features.h5", "device=cpu"]
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        cfg = compose("extract_features", ["paths.output_dir=x", *chosen, f"batch_size={batch_size}", *options])
    return command.run(cfg)


def pictures(source):
    return [read_image(source.image_bytes(index)) for index in range(len(source))]


def test_features_are_those_of_a_captioner_that_sees_the_pixels(source, capsys):
    assert run() == 0
    file = FeatureFile("features.h5")
    assert file.ids == source.ids and file.recipe.data_name == "wholes"
    assert file.recipe.backbone["weights"] == str(Path("net.pth").resolve()) and file.recipe.image_size == 64
    model = small_image_captioner(network(), input_size=224).eval()
    with torch.no_grad():
        expected = model.image_features(pictures(source))
    check_close(file.features(), expected)
    assert "7 images in" in capsys.readouterr().err
    assert {path.name for path in Path().iterdir()} == {"wholes.h5", "net.pth", "features.h5"}


@pytest.mark.parametrize("options", [["features.crops=10"], ["features.crop=center"]])
def test_other_squares(options, source):
    assert run(*options, "features.input_size=40") == 0
    crop = "ten" if "crops" in options[0] else "center"
    with torch.no_grad():
        expected = encode_images(network(), pictures(source), 40, crop)
    check_close(FeatureFile("features.h5").features(), expected)


def test_several_sizes_are_averaged_and_a_captioner_of_the_file_sees_as_many(source):
    assert run("features.input_size=[48,32]") == 0
    with torch.no_grad():
        small, large = (encode_images(network(), pictures(source), size, "squash") for size in (32, 48))
    file = FeatureFile("features.h5")
    check_close(file.features(), (small + large) / 2)
    assert file.recipe.input_size == (32, 48)
    model = small_image_captioner(network(), input_size=Precomputed("features.h5").input_size).eval()
    with torch.no_grad():
        check_close(file.features(), model.image_features(pictures(source)))
    assert run("features.input_size=[32,48]") == 0  # the same


def test_what_is_complete_is_left_alone_and_what_differs_is_made_anew(source, capsys):
    run("features.input_size=32")
    before = Path("features.h5").stat().st_ino
    assert run("features.input_size=32", "model.backbone.trainable=false") == 0
    assert "features.h5 is complete and made with these options" in capsys.readouterr().err
    assert Path("features.h5").stat().st_ino == before
    run("features.input_size=32", "features.crop=center")
    assert "features.h5 is made anew: crop is center, not squash" in capsys.readouterr().err
    torch.manual_seed(1)
    torch.save(ConvSmall(**NETWORK).state_dict(), "net.pth")
    run("features.input_size=32", "features.crop=center")
    assert "made anew: the weights of ConvSmall are others" in capsys.readouterr().err
    run("features.input_size=32", "features.crop=center", "overwrite=true")
    assert "made anew: overwrite=true" in capsys.readouterr().err


def test_an_interrupted_run_goes_on(source, monkeypatch, capsys):
    monkeypatch.setattr(parts, "PART_SIZE", 2)
    monkeypatch.setattr(extraction, "PART_SIZE", 2)
    original, calls = extraction.encode_images, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 6:  # the second batch of the third part
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(extraction, "encode_images", interrupted)
    assert run("features.input_size=32", batch_size=1) == 130
    assert "interrupted: what is done is kept in features.h5.parts" in capsys.readouterr().err
    assert not Path("features.h5").exists() and len(list(Path("features.h5.parts").glob("0*.npz"))) == 2
    assert run("features.input_size=32", batch_size=1) == 0
    assert "4 images were there from an earlier run" in capsys.readouterr().err
    assert len(calls) == 6 + 3 and not Path("features.h5.parts").exists()
    resumed = FeatureFile("features.h5").features()
    run("features.input_size=32", "output=whole.h5")
    check_close(resumed, FeatureFile("whole.h5").features())


def test_parts_of_other_features_are_not_used(source, monkeypatch):
    monkeypatch.setattr(extraction, "encode_images", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt))
    assert run("features.input_size=32") == 130
    monkeypatch.undo()
    folder = Path(source.path.parent, "features.h5.parts")
    np.savez(folder / "000000.npz", features=np.zeros((7, 8), np.float32))
    monkeypatch.chdir(source.path.parent)
    monkeypatch.setattr(command, "prepare", lambda data, console: source.path)
    run("features.input_size=24")
    assert FeatureFile("features.h5").features().abs().sum() > 0


def test_what_cannot_be_extracted_is_said(source):
    with pytest.raises(UserError, match="features.layer=refined needs a trained model: give ckpt=PATH"):
        run("features.layer=refined")
    with pytest.raises(UserError, match="features.crops is 1 or 10, got 5"):
        run("features.crops=5")
    with pytest.raises(UserError, match="model.crop=oval is not known"):
        run("features.crop=oval")
    run()
    chosen = ["paths.output_dir=x", "model/backbone=precomputed", "model.backbone.file=features.h5", "device=cpu"]
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        cfg = compose("extract_features", chosen)
    with pytest.raises(UserError, match="model/backbone=precomputed holds features already"):
        command.run(cfg)


CAPTIONER = ["model=mrnn_vgg16", "model/backbone=conv_small", "data.image_size=64", "model.input_size=40"]


def test_refined_features_of_a_trained_captioner(source):
    model = save_checkpoint(Path("m.ckpt"), *CAPTIONER, "model.crop=center", "model.decoder.multimodal_dim=12")
    assert run("ckpt=m.ckpt", "features.layer=refined") == 0
    file = FeatureFile("features.h5")
    with torch.no_grad():
        expected = model.decoder.refined(model.image_features(pictures(source)))
    assert file.feature_dim == 12 and file.recipe.layer == "refined" and file.recipe.crop == "center"
    check_close(file.features(), expected)
    run("ckpt=m.ckpt", "output=plain.h5")
    with torch.no_grad():
        check_close(FeatureFile("plain.h5").features(), model.image_features(pictures(source)))
    with pytest.raises(UserError, match="features.layer=regions is not in the given ImageCaptioner"):
        run("ckpt=m.ckpt", "features.layer=regions")
    save_checkpoint(Path("l.ckpt"), *CAPTIONER, "model/decoder=lstm")
    with pytest.raises(UserError, match="of a multimodal layer, which LSTMDecoder has not"):
        run("ckpt=l.ckpt", "features.layer=refined")


def test_a_file_holds_what_is_not_scaled_yet(source):
    """A model trained on the file scales its vectors itself; the multimodal layer sees them scaled, once."""
    model = save_checkpoint(Path("u.ckpt"), *CAPTIONER, "model.feature_scaling=standard")
    content = torch.load("u.ckpt", weights_only=True)
    for name, value in {"mean": 3, "variance": 4, "count": 1}.items():
        content["state_dict"][f"model.scaling.{name}"].fill_(value)
    torch.save(content, "u.ckpt")
    with torch.no_grad():
        plain = encode_images(model.backbone, pictures(source), 40, model.crop)
        refined = model.decoder.refined((plain - 3) / 4.04**0.5)
    assert run("ckpt=u.ckpt") == 0
    check_close(FeatureFile("features.h5").features(), plain)
    assert run("ckpt=u.ckpt", "features.layer=refined", "output=refined.h5") == 0
    check_close(FeatureFile("refined.h5").features(), refined)


def test_regions_of_a_trained_dense_captioner(source, monkeypatch):
    model = miniature_captioner().eval()
    config = {"model": {"backbone": {"_target_": "tests.conftest.TwoConvolutions"}}}
    monkeypatch.setattr(checkpoint, "load", lambda path, weights: LoadedModel(model, config, Path(path), "fake"))
    monkeypatch.setattr(checkpoint, "read", lambda path: {"densecap": {}})
    Path("d.ckpt").write_bytes(b"weights")
    assert run("ckpt=d.ckpt", "detection.max_detections=4") == 0
    file = FeatureFile("features.h5")
    assert file.recipe.layer == "regions" and file.feature_dim == model.recognition.out_dim
    for image_id, picture in zip(source.ids, pictures(source)):
        found = model.detect(*stack(model, [picture]))[0]
        codes, boxes, scores = file.regions(image_id)
        assert 0 < len(codes) <= 4
        torch.testing.assert_close(codes, found.codes[: len(codes)], rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(boxes, 2 * found.boxes[: len(codes)], rtol=1e-3, atol=1e-2)
        torch.testing.assert_close(scores, found.logits[: len(codes)].sigmoid(), rtol=1e-3, atol=1e-4)


@pytest.mark.long
def test_a_killed_run_goes_on(tmp_path):
    write_visual_genome(tmp_path / "vg", num_images=700, size=(24, 32), num_regions=1)
    words = [sys.executable, "-m", "densecap", "extract_features", "data=visual_genome", "data.root=vg", "device=cpu"]
    words += ["data.min_token_count=1", "model/backbone=conv_small", "features.input_size=128", "output=f.h5"]
    options = {"cwd": tmp_path, "stderr": subprocess.PIPE, "text": True, "env": {**os.environ, "PYTHONPATH": str(ROOT)}}
    process = subprocess.Popen([*words, "batch_size=1"], **options)
    while not list((tmp_path / "f.h5.parts").glob("000*.npz")):
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert not (tmp_path / "f.h5").exists()
    done = subprocess.run(words, check=False, timeout=200, **options)
    assert done.returncode == 0 and "256 images were there from an earlier run" in done.stderr, done.stderr
    assert len(FeatureFile(tmp_path / "f.h5").features()) == 700
    assert {path.name for path in tmp_path.iterdir()} == {"vg", "data", "f.h5"}
