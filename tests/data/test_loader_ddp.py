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
    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
    overfit_batches=int(sys.argv[3]))
trainer.fit(recorder, datamodule=CaptioningDataModule(sys.argv[1], 32, 2, 1, seed=5))
with open(f"{sys.argv[2]}/{trainer.global_rank}.json", "w") as file:
    json.dump(recorder.seen, file)
"""


def images_seen(tmp_path: Path, splits: list[str], overfit_batches: int = 0) -> list[dict[str, list]]:
    """What each of two processes was given in two epochs."""
    file = write_fake(tmp_path / "fake.h5", splits, [1] * len(splits), [(16, 16)] * len(splits))
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    root = Path(__file__).parents[2]
    command = [sys.executable, str(script), str(file), str(tmp_path), str(overfit_batches)]
    subprocess.run(command, check=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    return [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.long
def test_two_processes_learn_the_same_batches_by_heart(tmp_path: Path) -> None:
    ranks = images_seen(tmp_path, ["train"] * 7 + ["val"] * 3, overfit_batches=1)
    shares = [[ids for _, ids in rank["train"]] for rank in ranks]
    assert shares[0][0] == shares[0][1] and shares[1][0] == shares[1][1], "the same in every epoch"
    assert len({*shares[0][0], *shares[1][0]}) == 4, "two images a process"
    assert [rank["val"] for rank in ranks] == [rank["train"] for rank in ranks]


@pytest.mark.long
def test_two_processes_cover_every_epoch(tmp_path: Path) -> None:
    ranks = images_seen(tmp_path, ["train"] * 7 + ["val"] * 3)
    for split, wanted in (("train", 7), ("val", 3)):
        for epoch in range(2):
            shares = [[image for at, ids in rank[split] if at == epoch for image in ids] for rank in ranks]
            assert len(shares[0]) == len(shares[1]) == -(-wanted // 2)
            assert len(set(shares[0] + shares[1])) == wanted
    orders = [[ids for at, ids in ranks[0]["train"] if at == epoch] for epoch in range(2)]
    assert orders[0] != orders[1]
