"""The training task in a real Trainer: what is logged, saved, frozen, and exactly resumed."""

from functools import partial

import pytest
import pytorch_lightning as pl
import torch

from densecap import checkpoint
from densecap.callbacks.finetune_backbone import FinetuneBackbone
from densecap.callbacks.stop_on_explosion import StopOnExplosion
from densecap.models.decoders.lstm import LSTMDecoder
from densecap.models.losses import LossWeights
from densecap.tasks.dense_captioning import DenseCaptioningTask
from densecap.tasks.schedules import constant


class Record(pl.Callback):
    def __init__(self):
        self.losses = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.losses.append(outputs["loss"].item())


def task_of(model, cls=DenseCaptioningTask, **options):
    return cls(model, partial(torch.optim.Adam, lr=5e-3), constant, **options)


class Exploding(DenseCaptioningTask):
    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) * (1.0 if batch_idx < 30 else 10.0)


def trainer_for(folder, steps, *callbacks):
    return pl.Trainer(
        accelerator="cpu",
        max_steps=steps,
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def loader(batch):
    return torch.utils.data.DataLoader([batch] * 10, batch_size=None, shuffle=False)


def test_training_lowers_the_loss_and_logs_every_part(make_captioner, batch, tmp_path):
    record, task = Record(), task_of(make_captioner())
    trainer = trainer_for(tmp_path, 30, record)
    trainer.fit(task, loader(batch), loader(batch))
    assert sum(record.losses[-5:]) < 0.8 * sum(record.losses[:5])
    logged = set(trainer.callback_metrics)
    for name in ("objectness_proposal", "box_proposal", "objectness", "box", "caption"):
        assert {f"train/loss_{name}", f"val/loss_{name}"} <= logged
    weights = {name: weight for name, weight in vars(task.weights).items() if weight}
    parts = sum(weight * trainer.callback_metrics[f"val/loss_{name}"].item() for name, weight in weights.items())
    assert trainer.callback_metrics["val/loss"].item() == pytest.approx(parts, rel=1e-4)


def test_words_are_a_loss_only_when_they_weigh_something(make_captioner, batch, tmp_path):
    model = make_captioner()
    model.decoder = LSTMDecoder(20, 30, embedding_dim=12, hidden_dim=12)
    plain = set(model(batch))
    task = task_of(model, weights=LossWeights(words=2.0))
    losses = model(batch)
    assert set(losses) == plain | {"words"}
    without = {name: value for name, value in losses.items() if name != "words"}
    expected = LossWeights().total(without) + 2 * losses["words"]
    torch.testing.assert_close(task.weights.total(losses), expected)


def test_a_resumed_run_has_the_losses_of_an_uninterrupted_one(make_captioner, batch, tmp_path):
    """Dropout and region sampling draw the numbers they would have drawn."""
    torch.manual_seed(7)
    whole, model = Record(), make_captioner()
    trainer_for(tmp_path, 8, whole).fit(task_of(model), loader(batch))

    first, second = Record(), Record()
    trainer = trainer_for(tmp_path, 5, first)
    trainer.fit(task_of(make_captioner()), loader(batch))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    torch.manual_seed(12345)
    resumed = trainer_for(tmp_path, 8, second)
    resumed.fit(task_of(make_captioner(seed=3)), loader(batch), ckpt_path=tmp_path / "a.ckpt", weights_only=True)
    assert first.losses + second.losses == whole.losses


def test_a_checkpoint_says_what_it_is_and_holds_plain_values(make_captioner, batch, tmp_path):
    trainer = trainer_for(tmp_path, 1)
    model = make_captioner()
    trainer.fit(task_of(model, config={"data": {"name": "shapes"}, "model": {"a": [1, None]}}), loader(batch))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    content = checkpoint.read(tmp_path / "a.ckpt")  # weights_only=True
    assert content["densecap"]["words"] == model.vocabulary.words
    assert content["densecap"]["config"]["model"] == {"a": [1, None]}
    weights = checkpoint.weights_of(content)
    assert torch.equal(weights["recognition.fc6.weight"], model.recognition.fc6.weight)


@pytest.mark.parametrize(("after", "moved"), [(-1, False), (0, True), (3, True), (100, False)])
def test_the_backbone_learns_from_its_step_on(make_captioner, batch, tmp_path, after, moved):
    model = make_captioner()
    before = model.backbone.layers[0].weight.detach().clone()
    states = []

    class Watch(pl.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            states.append(bool((model.backbone.layers[0].weight != before).any()))

    trainer_for(tmp_path, 5, FinetuneBackbone(after), Watch()).fit(task_of(model), loader(batch))
    first = after if 0 <= after < 5 else 5
    assert states == [index >= first for index in range(5)] and states[-1] is moved


def test_an_exploding_loss_stops_the_run(make_captioner, batch, tmp_path):
    callback = StopOnExplosion(factor=1.5)
    task = task_of(make_captioner(), Exploding)
    trainer = trainer_for(tmp_path, 200, callback)
    trainer.fit(task, torch.utils.data.DataLoader([batch] * 200, batch_size=None))
    assert trainer.global_step < 100
