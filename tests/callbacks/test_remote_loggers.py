"""Loggers of services: what is refused, and how names are made fit. Real runs are in test_dashboards_process."""

import importlib.util

import pytest

from densecap.builder import build
from densecap.callbacks import remote_loggers
from densecap.cli.composition import compose
from densecap.errors import UserError


@pytest.mark.parametrize(
    ("logger", "sentence"),
    [
        ("mlflow", r'logger=mlflow needs the package mlflow, which is not installed: pip install "densecap\[mlflow\]"'),
        ("wandb", r"logger=wandb needs the package wandb, which is not installed: pip install wandb"),
    ],
)
def test_a_missing_package_is_a_sentence(monkeypatch, tmp_path, logger, sentence):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    node = compose("train", [f"logger={logger}", f"paths.output_dir={tmp_path}"]).logger[logger]
    with pytest.raises(UserError, match=sentence):
        build(node)


def test_slashes_in_keys_do_not_look_like_sections():
    config = {"choices": {"model": "a", "model/decoder": "b"}, "list": [{"x/y": 1}], "seed": 1}
    dotted = {"choices": {"model": "a", "model.decoder": "b"}, "list": [{"x/y": 1}], "seed": 1}
    assert remote_loggers._dotted(config) == dotted


def test_the_id_of_a_run_is_remembered(tmp_path):
    file = tmp_path / "wandb" / "run_id"
    assert remote_loggers._text_in(file) is None
    remote_loggers._write(file, "abc123")
    assert remote_loggers._text_in(file) == "abc123"
    assert (
        build(compose("train", ["logger=wandb_offline", f"paths.output_dir={tmp_path}"]).logger.wandb)._id == "abc123"
    )
