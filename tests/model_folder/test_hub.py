"""Models of the hub, against a hub in miniature on this machine."""

import os
import subprocess
import sys

import pytest
import torch

import densecap
from densecap import checkpoint
from densecap.errors import UserError
from densecap.model_folder import hub as own
from densecap.model_folder.layout import FILES
from tests.fakes.hub import HubServer
from tests.fakes.small_model import save_small_model
from tests.fakes.whole_images import noise


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A hub, and a cache of its own."""
    from huggingface_hub import constants

    with HubServer() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        yield hub


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    return checkpoint.load(save_small_model(tmp_path_factory.mktemp("small") / "m.ckpt"))


def serve(hub, loaded, folder, name="people/model", revision="main"):
    loaded.model.save_pretrained(folder)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    hub.models.setdefault(name, {})[revision] = files | {"evil.ckpt": b"a pickle", "pytorch_model.bin": b"another"}


def test_a_model_of_the_hub_is_fetched_and_nothing_else_with_it(server, loaded, tmp_path):
    serve(server, loaded, tmp_path / "folder")
    picture = noise(60, 80)
    for model in (
        densecap.load("hf://people/model").model,
        densecap.DenseCaptioner.from_pretrained("people/model", cache_dir=tmp_path / "cache"),
    ):
        assert model.caption_images([picture]) == loaded.model.caption_images([picture])
    fetched = {path.rpartition("/")[2] for method, path in server.requests if "/resolve/" in path}
    assert fetched <= set(FILES) and {"config.json", "model.safetensors"} <= fetched


def test_a_revision_is_another_model(server, loaded, tmp_path):
    serve(server, loaded, tmp_path / "folder")
    other = checkpoint.load(save_small_model(tmp_path / "o.ckpt"))
    with torch.no_grad():
        other.model.recognition.objectness.bias.add_(1)
    serve(server, other, tmp_path / "other", revision="v2")
    found = densecap.load("hf://people/model@v2").model
    assert torch.equal(found.recognition.objectness.bias, other.model.recognition.objectness.bias)
    assert not torch.equal(found.recognition.objectness.bias, loaded.model.recognition.objectness.bias)


def test_what_is_not_there_is_said(server, loaded, tmp_path):
    with pytest.raises(UserError, match="people/nothing cannot be fetched from the hub"):
        densecap.load("hf://people/nothing")
    serve(server, loaded, tmp_path / "folder")
    with pytest.raises(UserError, match="people/model@v9 cannot be fetched"):
        densecap.load("hf://people/model@v9")
    server.models["people/bert"] = {"main": {"config.json": b"{}", "pytorch_model.bin": b"x"}}
    with pytest.raises(UserError, match=r"people/bert is no model of densecap: it has no model.safetensors"):
        densecap.load("hf://people/bert")
    with pytest.raises(UserError, match="no address of the hub"):
        densecap.load("hf://only-a-name")


def test_a_model_is_pushed_and_fetched_again(server, loaded, tmp_path):
    address = loaded.model.push_to_hub("people/mine", token="hf_invented", private=True, licence="mit")
    assert address.startswith(f"{server.address}/people/mine/commit/")
    assert set(server.models["people/mine"]["main"]) == set(FILES)
    again = densecap.DenseCaptioner.from_pretrained("people/mine")
    assert again.caption_images([noise(60, 80)]) == loaded.model.caption_images([noise(60, 80)])


def test_addresses():
    assert own.parse("hf://a/b") == ("a/b", None) and own.parse("hf:/a/b@v1.2") == ("a/b", "v1.2")
    assert own.is_hub_name("people/model-2.0") and not own.is_hub_name("a/b/c") and not own.is_hub_name("model")


@pytest.mark.long
def test_commands_take_addresses_of_the_hub(loaded, tmp_path):
    from PIL import Image

    Image.fromarray(noise(60, 80).permute(1, 2, 0).numpy()).save(tmp_path / "a.png")
    with HubServer() as hub:
        serve(hub, loaded, tmp_path / "folder")
        environment = os.environ | {
            "HF_ENDPOINT": hub.address,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_DISABLE_XET": "1",
        }
        command = [sys.executable, "-m", "densecap", "predict", f"source={tmp_path / 'a.png'}", "device=cpu"]
        command += ["output.dir=-", "output.formats=[csv]"]
        command += ["ckpt=hf://people/model"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    wanted = loaded.model.caption_images([noise(60, 80)])[0]
    assert [row.rpartition(",")[2] for row in done.stdout.splitlines()[1:]] == [region.caption for region in wanted]
