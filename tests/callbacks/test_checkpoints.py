"""Which state is the best one, and that there always is a last one."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from densecap.callbacks.caption_metrics import CaptionMetrics
from densecap.callbacks.checkpoints import BestAndLast, _keep
from densecap.commands.train import monitored
from densecap.errors import UserError
from densecap.metrics.dense_modules import DenseMapMetric
from densecap.metrics.modules import BleuMetric


class Figures(pl.LightningModule):
    """Logs one figure after another; its weight counts the epochs."""

    def __init__(self, name, values):
        super().__init__()
        self.epochs = torch.nn.Parameter(torch.zeros(()))
        self.name, self.values = name, values

    def training_step(self, batch, batch_idx):
        return -self.epochs

    def validation_step(self, batch, batch_idx):
        self.log(self.name, self.values[self.current_epoch], batch_size=1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


@pytest.mark.parametrize(
    ("name", "values", "best"),
    [
        ("val/loss", [3.0, 1.0, 2.0], 2),
        ("val/perplexity", [1.0, 1.0, 2.0], 2),
        ("val/dense_mAP", [0.1, 0.3, 0.2], 2),
        ("val/dense_mAP", [0.0, 0.0, 0.0], 3),
        ("val/CIDEr", [0.5, 0.5, 0.1], 2),
        ("val/dense_mAP", [float("nan"), float("nan"), float("nan")], 3),
    ],
)
def test_the_best_is_the_latest_of_the_best(tmp_path, name, values, best):
    fit(tmp_path, name, values)
    assert kept(tmp_path) == {"best.ckpt": best, "last.ckpt": 3, "previous.ckpt": 2}


def fit(folder, name, values):
    """Three epochs with these figures."""
    loader = torch.utils.data.DataLoader([0], batch_size=None)
    checkpoints = BestAndLast(str(folder), monitor=name)
    trainer = pl.Trainer(
        max_epochs=3,
        accelerator="cpu",
        callbacks=[checkpoints],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(Figures(name, values), loader, loader)


def kept(folder):
    """The epochs of the states in a folder, by file."""
    return {file.name: int(torch.load(file, weights_only=True)["state_dict"]["epochs"]) for file in folder.iterdir()}


@pytest.mark.parametrize("links", [True, False])
def test_there_is_always_a_last_state(tmp_path, monkeypatch, links):
    """Seen before and after every renaming; where files have one name only, at least the one before it is there."""
    seen, replace = [], Path.replace

    def watched(path, target):
        seen.append({file.name for file in tmp_path.glob("[!.]*")})
        found = replace(path, target)
        seen.append({file.name for file in tmp_path.glob("[!.]*")})
        return found

    def refused(*names):
        raise OSError("no links here")

    monkeypatch.setattr(Path, "replace", watched)
    if not links:
        monkeypatch.setattr("os.link", refused)
    fit(tmp_path, "val/loss", [3.0, 2.0, 1.0])
    assert kept(tmp_path) == {"best.ckpt": 3, "last.ckpt": 3, "previous.ckpt": 2}
    first = next(place for place, names in enumerate(seen) if "last.ckpt" in names)
    assert len(seen) - first > 6
    wanted = {"last.ckpt"} if links else {"last.ckpt", "previous.ckpt"}
    assert all(names & wanted for names in seen[first:])


def test_a_kill_between_two_renamings_leaves_nothing_behind(tmp_path):
    last, previous = tmp_path / "last.ckpt", tmp_path / "previous.ckpt"
    last.write_text("2")
    previous.hardlink_to(last)
    _keep(last, previous)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"last.ckpt": "2", "previous.ckpt": "2"}


def test_the_figure_that_decides():
    both = {"metrics": CaptionMetrics({"bleu": BleuMetric(), "dense_map": DenseMapMetric(None)})}
    assert monitored("auto", both) == "val/loss"  # no dense mAP without something to compare words with
    assert monitored("auto", {"metrics": CaptionMetrics({"dense_map": DenseMapMetric(len)})}) == "val/dense_mAP"
    assert monitored("auto", {}) == "val/loss"
    assert monitored("val/BLEU-2", both) == "val/BLEU-2"
    assert monitored("val/loss_caption", {}) == "val/loss_caption"
    with pytest.raises(
        UserError, match=r"monitor=val/bleu is no figure of this run: choose among auto, val/loss, val/B"
    ):
        monitored("val/bleu", both)
