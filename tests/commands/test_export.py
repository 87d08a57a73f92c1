"""The command ``export``, up to the tracing of graphs (see ``tests/export``)."""

import json

import pytest
from omegaconf import OmegaConf

import densecap
from densecap.cli.composition import compose
from densecap.commands import export
from densecap.commands.info import describe
from densecap.errors import UserError
from tests.fakes.reports import report, write
from tests.fakes.small_model import save_small_model


@pytest.fixture(scope="module")
def ckpt(tmp_path_factory):
    return save_small_model(tmp_path_factory.mktemp("small") / "m.ckpt")


def run(ckpt, **options):
    cfg = compose("export", [])
    return export.run(OmegaConf.merge(cfg, {"ckpt": str(ckpt), **options}))


def test_a_folder_with_measured_figures(ckpt, tmp_path, capsys):
    figures = write(
        tmp_path / "eval", report(captions={"CIDEr": 0.512345678, "BLEU-4": 0.25, "lengths": {"mean": 9.5}})
    )
    output = tmp_path / "out" / "folder"
    assert run(ckpt, output=str(output), report=str(figures.parent), licence="cc-by-4.0") == 0
    said = capsys.readouterr().err
    assert "and 30 words are the same" in said
    card = (output / "README.md").read_text()
    assert (
        "## Measured on flickr8k, split test, 1,000 images" in card and "| images/captions/CIDEr | 0.512346 |" in card
    )
    assert "license: cc-by-4.0" in card and "exported from: m.ckpt" in card
    assert densecap.load(output).vocabulary == densecap.load(ckpt).vocabulary
    made = describe(output)
    assert made.kind == "a dense captioner, DenseCaptioner (a folder of safetensors, format 1)"
    assert made.sections["figures"]["flickr8k test: images/captions/BLEU-4"] == 0.25
    assert made.sections["source"]["licence"] == "cc-by-4.0" and made.sections["training"]["steps"] == 70
    parts = made.sections["parts"]
    assert parts["all parameters"] == sum(value for name, value in parts.items() if name != "all parameters")
    assert parts == describe(ckpt).sections["parts"]


def test_the_folder_beside_the_checkpoint(ckpt):
    assert run(ckpt) == 0
    assert (ckpt.parent / "m_safetensors" / "config.json").is_file()
    with pytest.raises(UserError, match="is there already"):
        run(ckpt)


def test_what_cannot_be_exported(ckpt, tmp_path, monkeypatch):
    for options, message in (
        ({"format": "tflite"}, "format=tflite is not known: it must be safetensors, onnx, torch_export"),
        ({"push_to": "name"}, "should be organisation/name"),
        ({"push_to": "a/b", "format": "onnx"}, "goes with format=safetensors"),
        ({"report": str(tmp_path / "none")}, "there is no file or folder"),
        ({"picture": str(tmp_path / "none.jpg"), "format": "onnx"}, "does not exist"),
        ({"ckpt": str(tmp_path / "none.ckpt")}, "no checkpoint at"),
    ):
        with pytest.raises(UserError, match=message):
            run(**{"ckpt": ckpt, "output": str(tmp_path / "out")} | options)
    assert not (tmp_path / "out").exists()


def test_a_failed_comparison_leaves_nothing(ckpt, tmp_path, monkeypatch):
    from densecap.export import safetensors_folder

    def refuse(loaded, folder, picture):
        raise UserError("the result is another")

    monkeypatch.setattr(safetensors_folder, "check", refuse)
    with pytest.raises(UserError, match="the result is another"):
        run(ckpt, output=str(tmp_path / "out"))
    assert not list(tmp_path.iterdir())


def test_a_file_of_tensors_without_a_model(tmp_path):
    import torch
    from safetensors.torch import save_file

    save_file({"layer.weight": torch.zeros(3, 4)}, tmp_path / "a.safetensors")
    made = describe(tmp_path / "a.safetensors")
    assert made.kind == "tensors by name, without a model" and made.sections["parts"]["all parameters"] == 12
    (tmp_path / "a.safetensors").write_bytes((2 * 10**9).to_bytes(8, "little") + b"x" * 1000)
    with pytest.raises(UserError, match="its header would have 2000000000 bytes"):
        describe(tmp_path / "a.safetensors")


def test_reports_keep_fractions_and_leave_counts_out():
    from densecap.export.reports import figures_of

    made = figures_of(report(captions={"CIDEr": 0.5, "captions": 1000}))
    assert made == {"data": "flickr8k", "split": "test", "images": 1000, "figures": {"images/captions/CIDEr": 0.5}}
    assert json.loads(json.dumps(made)) == made
