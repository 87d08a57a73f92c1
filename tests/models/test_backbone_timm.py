"""Networks of timm as backbones."""

import sys

import pytest
import torch

from densecap.errors import UserError
from densecap.models.backbones.timm import TimmBackbone
from densecap.ops.anchors import Level
from tests.fakes.backbones import photo


def test_timm_names_and_choices(monkeypatch):
    pytest.importorskip("timm")
    with pytest.raises(UserError, match=r"name=resnet1 is not a timm network: did you mean resnet1\d"):
        TimmBackbone("resnet1", weights=None)
    with pytest.raises(UserError, match=r"resnet18 has the maps 0 \(stride 2\), 1 \(stride 4\)"):
        TimmBackbone("resnet18", weights=None, out_index=7)
    assert TimmBackbone("resnet18", weights=None, out_index=2).geometry[0].stride == 8
    coarse = TimmBackbone("convnext_atto", weights=None, out_index=-1)
    assert coarse.geometry == (Level(32, 16.0),) and coarse.out_channels == 320
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match=r"densecap\[timm\]"):
        TimmBackbone("resnet18", weights=None)


@torch.no_grad()
def test_timm_transformers():
    pytest.importorskip("timm")
    swin = TimmBackbone("swin_tiny_patch4_window7_224", weights=None, options={"strict_img_size": False}).eval()
    assert swin(photo(96, 130))[0].shape[:2] == (1, 384) and swin.geometry == (Level(16, 8.0),)
    vit = TimmBackbone("vit_tiny_patch16_224", weights=None, options={"dynamic_img_size": True}).eval()
    assert vit(photo(96, 128))[0].shape == (1, 192, 6, 8) and vit.geometry == (Level(16, 8.0),)
    torch.testing.assert_close(vit.normalize(torch.full((1, 3, 1, 1), 255.0)).flatten(), torch.ones(3))


@torch.no_grad()
def test_timm_weights(tmp_path, monkeypatch):
    timm = pytest.importorskip("timm")
    torch.manual_seed(5)
    network = timm.create_model("resnet18").eval()
    state = {key: value for key, value in network.state_dict().items() if not key.startswith("fc.")}
    path = tmp_path / "resnet18.pth"
    torch.save(state, path)
    backbone = TimmBackbone("resnet18", weights=str(path)).eval()
    images = photo(64, 96)
    expected = network.forward_intermediates(backbone.normalize(images), indices=[3], intermediates_only=True)[0]
    torch.testing.assert_close(backbone(images)[0], expected, atol=1e-3, rtol=1e-3)
    assert backbone.pretrained
    del state["layer1.0.conv1.weight"]
    torch.save(state, path)
    with pytest.raises(UserError, match=r"does not fit resnet18: it lacks layer1\.0\.conv1\.weight"):
        TimmBackbone("resnet18", weights=str(path))

    original = timm.create_model

    def offline(name, pretrained=False, **options):
        if pretrained:
            raise OSError("no route to host")
        return original(name, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(
        UserError, match=r"weights of resnet18 could not be loaded \(no route to host\): fetch them from http"
    ):
        TimmBackbone("resnet18")
