"""Captioners of whole images as people use them: features, training without pixels, predictions, figures."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from densecap import checkpoint
from densecap.cli.entry import run
from densecap.models.backbones.conv_small import ConvSmall
from tests.fakes.coco import write_coco
from tests.fakes.empty_folder import in_empty_folder
from tests.fakes.flickr8k import write_flickr8k
from tests.fakes.visual_genome import write_picture, write_visual_genome

#: What makes the parts small, as far as a decoder or a backbone has it.
BACKBONE = ["model/backbone=conv_small", "model.backbone.widths=[6,6,6,8]", "model.backbone.num_blocks=1"]
SMALL = ["data.min_token_count=1", "data.image_size=48", "model.input_size=32"]
QUICK = ["debug=fast", "trainer.fast_dev_run=2", "data.batch_size=2"]


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """Work in an empty folder; leave logging and Hydra's global state as they were."""
    yield from in_empty_folder(monkeypatch, tmp_path)


def densecap(command, *words):
    assert run(list(words), command) == 0


def last_checkpoint():
    return max(Path().glob("outputs/train/*/checkpoints/last.ckpt"), key=lambda path: path.stat().st_mtime)


def test_from_photos_to_figures_by_way_of_features(folder, capsys):
    write_flickr8k(folder / "f8k", counts=(6, 2, 2))
    torch.manual_seed(0)
    torch.save(ConvSmall(widths=[6, 6, 6, 8], num_blocks=1).state_dict(), "net.pth")
    data = ["data=flickr8k", "data.root=f8k", "data.min_token_count=1", "data.image_size=48"]
    network = [*BACKBONE, "model.backbone.weights=net.pth"]
    densecap("extract_features", *data, *network, "features.input_size=32", "device=cpu")
    features = ["model=mrnn_vgg16", "model/backbone=precomputed"]
    options = ["trainer=cpu", "trainer.max_epochs=2", "data.batch_size=3", "logger=csv"]
    options += ["optimizer.lr=1e-2", "trainer.log_every_n_steps=1"]
    capsys.readouterr()
    densecap("train", *data, *features, *options)
    assert "features of ConvSmall (squash, 32 pixels) instead of pixels" in capsys.readouterr().err
    path = last_checkpoint()
    content = checkpoint.read(path)
    assert content["global_step"] == 4 and content["densecap"]["recipe"]["crop"] == "squash"
    assert not any("backbone" in name for name in content["state_dict"])
    log = next(Path().glob("outputs/train/*/csv/**/metrics.csv")).read_text().splitlines()[0].split(",")
    assert {"train/loss_caption", "val/loss", "val/perplexity", "val/CIDEr", "val/BLEU-4"} <= set(log)
    assert not any("dense" in name for name in log)

    (folder / "photos").mkdir()
    write_picture(folder / "photos" / "a.jpg", (40, 60), 9)
    densecap("predict", "source=photos", "output.dir=out", "device=cpu")
    (image,) = json.loads(Path("out/predictions.json").read_text())["images"]
    assert [region["box"] for region in image["regions"]] == [[0, 0, 60, 40]]
    with Image.open("out/images/a.jpg") as picture:
        assert picture.width == 480 and picture.height > 320  # the caption stands below

    metrics = "metric=[bleu,cider,dense_map,perplexity,proposal_recall]"
    densecap("eval", *data, "output.dir=report", "device=cpu", metrics)
    report = json.loads(Path("report/report.json").read_text())
    assert list(report["protocols"]) == ["images"] and report["model"]["perplexity"] > 1
    captions = report["protocols"]["images"]["captions"]
    assert (captions["captions"], captions["references"]) == (2, 10) and "CIDEr-D" in captions
    assert set(report["skipped"]) == {"dense_map", "proposal_recall"}
    densecap("eval", *data, "predictions=report/predictions.json", "output.dir=again", "metric=[bleu,cider]")
    again = json.loads(Path("again/report.json").read_text())["protocols"]["images"]["captions"]
    assert again == {name: captions[name] for name in again}

    assert "features of the images are those of data/flickr8k_features.h5" in capsys.readouterr().err
    Path("data/flickr8k_features.h5").unlink()
    densecap("eval", *data, "output.dir=seen", "device=cpu", metrics)  # from the pixels
    assert "features of the images" not in capsys.readouterr().err
    read, seen = (json.loads(Path(name, "predictions.json").read_text())["images"] for name in ("report", "seen"))
    for one, other in zip(read, seen, strict=True):
        assert one["regions"][0]["caption"] == other["regions"][0]["caption"]
        assert one["regions"][0]["log_prob"] == pytest.approx(other["regions"][0]["log_prob"], abs=2e-3)


@pytest.mark.parametrize("decoder", ["mrnn", "lstm", "gru", "transformer"])
def test_every_decoder_trains_on_whole_images(folder, decoder):
    write_flickr8k(folder / "f8k")
    small = {
        "mrnn": ["hidden_dim=8", "multimodal_dim=8"],
        "transformer": ["embedding_dim=8", "hidden_dim=8", "num_heads=2"],
    }
    sizes = [f"model.decoder.{size}" for size in small.get(decoder, ["hidden_dim=8"])]
    words = ["model=mrnn_mobilenet_v2", *BACKBONE, f"model/decoder={decoder}", *sizes, *SMALL, *QUICK]
    densecap("train", "data=flickr8k", "data.root=f8k", *words)


def test_m_rnn_trains_on_regions_of_visual_genome(folder):
    write_visual_genome(folder / "vg", num_images=12)
    densecap("train", "model=mrnn_vgg16", "data=visual_genome", "data.root=vg", *BACKBONE, *SMALL, *QUICK)


def test_the_dense_captioner_trains_on_captions_of_coco(folder):
    write_coco(folder / "coco")
    sizes = ["model.recognition.hidden_dim=8", "model.decoder.hidden_dim=8", "model.backbone.weights=null"]
    words = [word for word in SMALL if "input_size" not in word]
    options = ["data.split_list=official", *sizes, *words, *QUICK, "data.batch_size=1"]
    densecap("train", "model=densecap_vgg16", "data=coco", "data.root=coco", *options)


def test_fine_tuning_begins_where_training_on_features_ended(folder):
    """init= takes the decoder; the backbone keeps its pretrained weights, which the checkpoint does not have."""
    write_flickr8k(folder / "f8k", counts=(6, 2, 2))
    network = ConvSmall(widths=[6, 6, 6, 8], num_blocks=1)
    torch.save(network.state_dict(), "net.pth")
    data = ["data=flickr8k", "data.root=f8k", "data.min_token_count=1", "data.image_size=48"]
    weights = [*BACKBONE, "model.backbone.weights=net.pth"]
    densecap("extract_features", *data, *weights, "features.input_size=32", "device=cpu")
    options = ["trainer=cpu", "trainer.max_steps=1", "data.batch_size=3", "logger=none", "metric=none"]
    densecap("train", *data, "model=mrnn_vgg16", "model/backbone=precomputed", *options)
    first = last_checkpoint()
    tuned = ["model=mrnn_vgg16", *weights, "model.backbone.trainable=true", "model.input_size=32"]
    densecap("train", *data, *tuned, *options, f"init={first}", "optimizer.lr=0", "optimizer.weight_decay=0")
    state = checkpoint.weights_of(checkpoint.read(last_checkpoint()))
    before = checkpoint.weights_of(checkpoint.read(first))
    assert last_checkpoint() != first
    for name, value in network.state_dict().items():
        assert torch.equal(state[f"backbone.{name}"], value)
    for name, value in before.items():
        if name.startswith("decoder."):
            assert torch.equal(state[name], value)
    assert state["scaling.count"] == 2 * before["scaling.count"] == 30  # three images of five captions, twice


def test_features_of_other_images_are_refused(folder, capsys):
    write_flickr8k(folder / "f8k", counts=(6, 2, 2))
    data = ["data=flickr8k", "data.root=f8k", "data.min_token_count=1", "data.image_size=48"]
    densecap("extract_features", *data, *BACKBONE, "features.input_size=32", "device=cpu", "output=f.h5")
    words = ["model=mrnn_vgg16", "model/backbone=precomputed", "model.backbone.file=f.h5", *QUICK]
    write_flickr8k(folder / "fewer", counts=(4, 2, 2))
    capsys.readouterr()
    assert run([*data, "data.root=fewer", *words], "train") == 2
    assert "f.h5 was made of other images of flickr8k than are prepared now" in capsys.readouterr().err
    assert run([*data, *words, "data.flip=true"], "train") == 2
    assert "data.flip=true mirrors images, which precomputed features do not follow" in capsys.readouterr().err


def test_benchmark_says_that_it_is_for_dense_captioners(capsys):
    assert run(["captions", "model=mrnn_mobilenet_v2", *BACKBONE, "device=cpu"], "benchmark") == 2
    assert "benchmark times the parts of a dense captioner, not of the given ImageCaptioner" in capsys.readouterr().err
