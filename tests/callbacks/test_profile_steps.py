"""debug=profile: the table and the trace hold the steps that were asked for."""

import gzip
import json

import pytorch_lightning as pl
import torch

from densecap.callbacks.profile_steps import ProfileSteps
from densecap.cli.composition import compose
from tests.callbacks.test_progress import Task


class Multiplying(Task):
    def training_step(self, batch, batch_idx):
        return (torch.ones(8, 8) @ torch.ones(8, 8)).sum() * self.weight


def test_the_steps_are_profiled(tmp_path, capsys):
    loader = torch.utils.data.DataLoader(range(6), batch_size=None)
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        callbacks=[ProfileSteps(skip=2, steps=3, rows=2)],
        logger=False,
        default_root_dir=tmp_path,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Multiplying(), loader)
    row = next(line for line in (tmp_path / "profile.txt").read_text().splitlines() if "aten::mm" in line)
    assert row.split()[-1] == "3"  # one product a step
    with gzip.open(tmp_path / "profile_trace.json.gz", "rt") as file:
        names = [str(event.get("name")) for event in json.load(file)["traceEvents"]]
    assert {name for name in names if name.startswith("ProfilerStep#")} == {f"ProfilerStep#{n}" for n in (2, 3, 4)}
    assert "profile_trace.json.gz" in capsys.readouterr().err.replace("\n", "")


def test_the_configuration_runs_long_enough():
    config = compose("train", ["debug=profile"])
    wanted = config.callbacks.profile.skip + config.callbacks.profile.steps
    assert config.trainer.max_steps > wanted and not config.trainer.enable_checkpointing
    assert config.callbacks.checkpoint is None and config.logger == {}
