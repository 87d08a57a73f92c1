"""Two real processes share an epoch: together they see every image, in new company each epoch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.region_file import write_fake

SCRIPT = """
import json, sys, warnings
import pytorch_lightning as pl, torch
from densecap.data.datamodule import CaptioningDataModule

class Recorder(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = {"train": [], "val": []}
    def training_step(self, batch, index):
        self.seen["train"].append([self.current_epoch, batch.image_ids])
        return self.weight
    def validation_step(self, batch, index):
        self.seen["val"].append([self.current_epoch, batch.image_ids])
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

warnings.filterwarnings("ignore")
recorder = Recorder()
trainer = pl.Trainer(accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, logger=False, num_sanity_val_steps=0,
    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False)
trainer.fit(recorder, datamodule=CaptioningDataModule(sys.argv[1], 32, 2, 1, seed=5))
with open(f"{sys.argv[2]}/{trainer.global_rank}.json", "w") as file:
    json.dump(recorder.seen, file)
"""


@pytest.mark.long
def test_two_processes_cover_every_epoch(tmp_path: Path) -> None:
    splits = ["train"] * 7 + ["val"] * 3
    file = write_fake(tmp_path / "fake.h5", splits, [1] * 10, [(16, 16)] * 10)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, script, file, tmp_path], check=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )
    ranks = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    for split, wanted in (("train", 7), ("val", 3)):
        for epoch in range(2):
            shares = [[image for at, ids in rank[split] if at == epoch for image in ids] for rank in ranks]
            assert len(shares[0]) == len(shares[1]) == -(-wanted // 2)
            assert len(set(shares[0] + shares[1])) == wanted
    orders = [[ids for at, ids in ranks[0]["train"] if at == epoch] for epoch in range(2)]
    assert orders[0] != orders[1]
