"""convert, info and download model=: the commands as people type them, on files of random weights."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from densecap import checkpoint
from densecap.cli.entry import run
from densecap.data.downloads import models
from tests.fakes import caffe
from tests.fakes.checkpoints import save_checkpoint
from tests.fakes.densecap_t7 import save_densecap_t7, sparse_checkpoint
from tests.fakes.http_files import FileServer
from tests.fakes.torch7 import Obj, tensor
from tests.fakes.torch7 import save as save_t7


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "densecap-pretrained-vgg16.t7"
    save_densecap_t7(path)
    return path


def test_a_converted_file_predicts(here: Path, published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "from=densecap_t7", f"path={published}", "output=my/model.ckpt"]) == 0
    said = capsys.readouterr().err
    assert "densecap_vgg16_2016: 15,274,417 parameters, 9 words" in said and "ckpt=my/model.ckpt" in said
    assert [path.name for path in Path("my").iterdir()] == ["model.ckpt"]
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save("photo.png")
    options = ["image_size=120", "device=cpu", "output.dir=out", "output.formats=[json]"]
    assert run(["predict", "source=photo.png", "ckpt=my/model.ckpt", *options]) == 0
    document = json.loads(Path("out/predictions.json").read_text())
    assert document["model"]["name"] == "densecap_vgg16_2016" and document["model"]["trained_on"] == "visual_genome"
    assert len(document["images"][0]["regions"]) > 5
    capsys.readouterr()
    assert run(["train", "ckpt=my/model.ckpt"]) == 2
    assert "holds a model but no run to go on with: start from its weights, init=" in capsys.readouterr().err


def test_the_format_is_recognised_and_the_result_lies_beside_the_file(here: Path) -> None:
    save_densecap_t7(here / "a.model.t7")
    assert run(["convert", "a.model.t7"]) == 0
    assert checkpoint.read("a.model.ckpt")["densecap"]["source"]["file"] == "a.model.t7"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["convert"], "convert needs path=..."),
        (["convert", "none.t7"], "there is no file none.t7"),
        (["convert", "notes.txt"], "notes.txt is in no format that is known here; those are densecap_t7 (DenseCap of"),
        (["convert", "notes.txt", "from=densecap_7t"], "is no format that is known here; did you mean densecap_t7?"),
        (["convert", "notes.txt", "from=densecap_t7"], "notes.txt cannot be read as a Torch7 file"),
        (["convert", "small.t7"], "small.t7 is in no format that is known here"),
        (["convert", "small.t7", "from=densecap_t7"], "small.t7 is not as expected: at the top there should be 'nets'"),
        (["convert", "path=[small.t7,notes.txt]"], "convert takes one file at a time"),
        (["convert", "from=caffe_vgg16", "notes.txt"], "notes.txt cannot be read as Caffe's weights"),
        (["info", "none.t7"], "there is no file none.t7"),
        (["info", "notes.txt"], "notes.txt is of no kind that is known here; those are"),
        (["info", "broken.ckpt"], "broken.ckpt"),
        (["info", "list.pth"], "list.pth holds neither a model of ours nor tensors by name"),
        (["download", "model=densecap_small"], "model=densecap_small has nothing to download; this command fetches"),
    ],
)
def test_mistakes_are_one_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    Path("notes.txt").write_text("these are only notes\n")
    Path("broken.ckpt").write_bytes(b"PK\x03\x04 and no more")
    torch.save([1, 2], "list.pth")
    save_t7(here / "small.t7", {"weight": tensor(np.zeros(3, np.float32))})
    assert run(arguments) == 2
    said = capsys.readouterr().err
    assert message in said and len(said.strip().splitlines()) == 1 and "Traceback" not in said
    assert not list(here.glob("*.tmp"))


def test_the_result_is_neither_a_folder_nor_the_file_itself(
    here: Path, published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("link.t7").symlink_to(published)
    assert run(["convert", f"path={published}", f"output={here}"]) == 2
    assert run(["convert", f"path={published}", "output=link.t7"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert "is a folder" in said[0] and "is the file that is to be converted" in said[1]
    Path("file").write_bytes(b"")
    assert run(["convert", f"path={published}", "output=file/model.ckpt"]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_a_pickle_that_would_run_code_is_not_opened(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return (Path.touch, (Path("touched"),))

    torch.save({"state_dict": Evil()}, "evil.ckpt")
    assert run(["info", "evil.ckpt"]) == 2
    assert "would run code when it is opened" in capsys.readouterr().err and not Path("touched").exists()


def test_info_of_a_checkpoint(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_checkpoint(here / "a.ckpt", "model=densecap_small", "model.recognition.hidden_dim=8")
    assert run(["info", "a.ckpt", "json=true"]) == 0
    found = json.loads(capsys.readouterr().out)
    parts = found["sections"]["parts"]
    assert parts["decoder (LSTMDecoder)"] == sum(value.numel() for value in model.decoder.parameters())
    assert parts["all parameters"] == sum(value.numel() for value in model.parameters())
    assert found["sections"]["vocabulary"]["words"] == len(model.vocabulary)
    assert found["kind"].startswith("a dense captioner")
    assert run(["info", "a.ckpt", "a.ckpt"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("a.ckpt: a dense captioner") == 2 and f"{parts['all parameters']:,}" in shown


def test_info_of_files_of_other_software(here: Path, published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = Obj("nn.Identity")
    node.content["self"] = node
    save_t7(here / "small.t7", {"weight": tensor(np.zeros((3, 4), np.float32)), "module": node})
    caffe.save(here / "small.caffemodel", {"ip1": [np.zeros((2, 5)), np.zeros(2)]})
    torch.save({"a.weight": torch.zeros(3), "b.running_mean": torch.zeros(4)}, "weights.pth")
    assert run(["info", str(published), "small.t7", "small.caffemodel", "weights.pth"]) == 0
    shown = capsys.readouterr().out
    starts = [shown.index(f"{name}: ") for name in (str(published), "small.t7", "small.caffemodel", "weights.pth")]
    first, second, third, fourth = (shown[start:stop] for start, stop in zip(starts, [*starts[1:], None]))
    assert "DenseCap of 2016, to be used after convert" in first and "validation dense_mAP  0.057" in first
    assert "localization (LocalizationLayer)      56,244" in first and "8 bytes" in first
    assert "a Torch7 file of no model that is known here" in second and "nn.Identity 1" in second
    assert "numbers in them  12" in second
    assert "of no network that is known here" in third and "1 x 1 x 2 x 5 and 1 x 1 x 1 x 2" in third
    assert "tensors by name, without a model" in fourth and "all parameters  3" in fourth


def test_download_fetches_and_converts_in_one_go(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
        zipped.write(save_t7(here / "densecap-pretrained-vgg16.t7", sparse_checkpoint()[0]))
    name = "densecap_vgg16_2016"
    with FileServer() as files:
        files.contents["/model.zip"] = archive.getvalue()
        model = models.MODELS[name]
        file = replace(model.file, addresses=(f"{files.address}/missing", f"{files.address}/model.zip"))
        monkeypatch.setitem(models.MODELS, name, replace(model, file=file))
        assert run(["download", f"model={name}"]) == 0
        said = capsys.readouterr().err
        assert "densecap-pretrained-vgg16.t7.zip is unverified (first download, recorded in checksums.json)" in said
        assert "written to data/models/densecap_vgg16_2016.ckpt" in said
        assert checkpoint.load("data/models/densecap_vgg16_2016.ckpt").data_name == "visual_genome"
        ledger = json.loads(Path("data/models/checksums.json").read_text())
        assert ledger[file.name]["verified"] is False and len(ledger[file.name]["sha256"]) == 64
        assert run(["download", f"model={name}"]) == 0
        assert "is there already" in capsys.readouterr().err and len(files.requests) == 2
        Path("data/models/densecap_vgg16_2016.ckpt").unlink()
        assert run(["download", f"model={name}", "output=other.ckpt"]) == 0  # what was fetched is still there
        assert Path("other.ckpt").is_file() and len(files.requests) == 2


def test_the_published_address_is_the_authors() -> None:
    file = models.MODELS["densecap_vgg16_2016"].file
    address = "cs.stanford.edu/people/jcjohns/densecap/densecap-pretrained-vgg16.t7.zip"
    assert file.addresses == (f"https://{address}", f"http://{address}")
    assert file.sha256 is None and file.unpack == "file"
