"""Checkpoints of models that were trained on precomputed features know how to see new photos."""

from pathlib import Path

import pytest
import torch

import densecap
from densecap import checkpoint
from densecap.errors import UserError
from densecap.features.backbones import for_whole_images, with_absolute_weights
from densecap.models.backbones.conv_small import ConvSmall
from densecap.models.backbones.precomputed import Precomputed
from densecap.models.feature_file import write_feature_file
from densecap.models.feature_recipe import digest_of_weights
from tests.fakes.checkpoints import save_checkpoint
from tests.fakes.feature_recipe import recipe
from tests.fakes.whole_images import noise, small_image_captioner

NETWORK = {"widths": [6, 6, 6, 8], "num_blocks": 1}
TARGET = "densecap.models.backbones.conv_small.ConvSmall"


def write_features(path: Path, weights: Path, **changes) -> None:
    """A file that says it was made by the network of ``weights``."""
    config = with_absolute_weights({"_target_": TARGET, **NETWORK, "weights": str(weights)})
    digest = digest_of_weights(ConvSmall(str(weights), **NETWORK))
    own = recipe(backbone=config, weights_sha256=digest, **changes)
    write_feature_file(path, own, ["b", "a"], {"images/features": ((2, 16), [torch.zeros(2, 16).numpy()])})


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """net.pth, features.h5 made by it with crops of their own, m.ckpt trained on that; returns the trained model."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    torch.save(ConvSmall(**NETWORK).state_dict(), "net.pth")
    write_features(Path("features.h5"), Path("net.pth"), crop="center", input_size=40, image_size=64)
    options = ["model=mrnn_vgg16", "model/backbone=precomputed", "model.backbone.file=features.h5"]
    return save_checkpoint(Path("m.ckpt"), *options, "data.image_size=64")


def test_the_backbone_is_built_as_the_features_were_computed(trained, tmp_path):
    assert not any("backbone" in name for name in torch.load("m.ckpt", weights_only=True)["state_dict"])
    (tmp_path / "features.h5").unlink()  # no longer needed
    model = densecap.load("m.ckpt")
    assert isinstance(model.backbone, ConvSmall) and not any(p.requires_grad for p in model.backbone.parameters())
    assert (model.crop, model.input_size, model.image_size) == ("center", 40, 64)
    same = small_image_captioner(ConvSmall("net.pth", **NETWORK), input_size=40, crop="center").eval()
    photos = [noise(96, 128), noise(30, 20)]
    torch.testing.assert_close(model.image_features(photos), same.image_features(photos))
    for name, value in trained.decoder.state_dict().items():
        assert torch.equal(model.decoder.state_dict()[name], value)
    assert len(model.caption_images(photos)) == 2


def test_weights_may_move_but_not_change(trained, tmp_path):
    (tmp_path / "net.pth").rename(tmp_path / "moved.pth")
    with pytest.raises(UserError, match="features of ConvSmall with the weights .*net.pth, which are gone"):
        densecap.load("m.ckpt")
    assert densecap.load("m.ckpt", "moved.pth").backbone is not None
    torch.manual_seed(1)
    torch.save(ConvSmall(**NETWORK).state_dict(), "other.pth")
    with pytest.raises(UserError, match="other.pth are not the weights that gave them: say where those are"):
        densecap.load("m.ckpt", "other.pth")


def test_going_on_needs_the_same_features(trained):
    content = checkpoint.read("m.ckpt")
    write_features(Path("coco.h5"), Path("net.pth"), crop="center", input_size=40, image_size=64, data_name="coco")
    same = small_image_captioner(Precomputed("coco.h5"))
    checkpoint.check_same_features(content, same, "m.ckpt")  # other images, but seen in the same way
    write_features(Path("squashed.h5"), Path("net.pth"), input_size=40, image_size=64)
    with pytest.raises(UserError, match="m.ckpt was trained on other features than squashed.h5 holds: crop is squash"):
        checkpoint.check_same_features(content, small_image_captioner(Precomputed("squashed.h5")), "m.ckpt")
    checkpoint.check_same_features(content, small_image_captioner(), "m.ckpt")  # pixels: a backbone of its own
    with pytest.raises(UserError, match="m.ckpt was trained on precomputed features: go on with the same"):
        checkpoint.check_same_features(content, small_image_captioner(), "m.ckpt", resumes=True)
    with pytest.raises(UserError, match="p.ckpt was trained on pixels: go on with the same model/backbone, or begin"):
        checkpoint.check_same_features({"densecap": {}}, same, "p.ckpt", resumes=True)


def test_layers_behind_the_maps_are_kept_where_nobody_decided():
    assert for_whole_images({"classifier": None, "stride": 16}) == {"classifier": True, "stride": 16}
    assert for_whole_images({"classifier": False}) == {"classifier": False}
    assert for_whole_images({"weights": None}) == {"weights": None}
    assert with_absolute_weights({"weights": "imagenet"}) == {"weights": "imagenet"}
    assert with_absolute_weights({"weights": "~/a.pth"}) == {"weights": str(Path("~/a.pth").expanduser())}
