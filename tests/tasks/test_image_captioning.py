"""The training task of whole images: what is logged, what is optimised, and that it resumes exactly."""

import math
from functools import partial

import pytest
import torch

from densecap.models.losses import ImageLossWeights
from densecap.structures import Batch, Regions
from densecap.tasks.image_captioning import ImageCaptioningTask
from densecap.tasks.schedules import constant
from tests.fakes.whole_images import small_image_captioner, whole_batch
from tests.tasks.test_dense_captioning import Record, loader, trainer_for


def task_of(model, **options):
    return ImageCaptioningTask(model, partial(torch.optim.Adam, lr=2e-2), constant, **options)


def shorter(batch):
    """The first image with its shortest caption alone."""
    regions = Regions(batch.regions[0].boxes[1:2], batch.regions[0].tokens[1:2])
    return Batch(batch.images[:1], batch.image_sizes[:1], [regions], ["a"], batch.original_sizes[:1])


def test_training_learns_captions_by_heart(tmp_path):
    record, task = Record(), task_of(small_image_captioner(length_buckets=2))
    trainer = trainer_for(tmp_path, 100, record)
    batch = whole_batch()
    trainer.fit(task, torch.utils.data.DataLoader([batch] * 100, batch_size=None), loader(batch))
    assert record.losses[0] > 4 and record.losses[-1] < 1
    logged = trainer.callback_metrics
    assert {"train/loss", "train/loss_caption", "val/loss", "val/loss_caption", "val/perplexity"} <= set(logged)


def test_perplexity_counts_every_word_of_the_split_alike(tmp_path):
    model, batch = small_image_captioner(), whole_batch()
    parts = [batch, shorter(batch)]  # 21 words and ENDs, and 3
    trainer, task = trainer_for(tmp_path, 1), task_of(model)
    trainer.validate(task, torch.utils.data.DataLoader(parts, batch_size=None), verbose=False)
    with torch.no_grad():
        bits = [model.eval()(part)["caption"].item() for part in parts]
    expected = (21 * bits[0] + 3 * bits[1]) / 24
    assert trainer.callback_metrics["val/loss"].item() == pytest.approx(expected, rel=1e-5)
    assert trainer.callback_metrics["val/loss_caption"].item() == pytest.approx(expected, rel=1e-5)
    assert trainer.callback_metrics["val/perplexity"].item() == pytest.approx(2**expected, rel=1e-4)
    assert bits[0] != pytest.approx(bits[1], rel=1e-3)


def test_the_cost_of_the_paper():
    """Bits a word and lambda times the squared parameters of the decoder, none of the backbone."""
    model, batch = small_image_captioner(), whole_batch()
    squares = sum((parameter.double() ** 2).sum().item() for parameter in model.decoder.parameters())
    task = task_of(model, weights=ImageLossWeights(l2=0.01))
    task.log_dict = lambda *arguments, **options: None
    with torch.no_grad():
        bits = model(batch)["caption"].item()
    loss = task.training_step(batch, 0)
    assert loss.item() == pytest.approx(bits + 0.01 * squares, rel=1e-5)
    assert task.weights.total(model(batch)).item() == pytest.approx(bits)
    loss.backward()
    plain = small_image_captioner()
    plain(batch)["caption"].backward()
    output, reference = model.decoder.output.weight, plain.decoder.output.weight
    torch.testing.assert_close(output.grad, reference.grad + 0.02 * output.detach(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(model.backbone.layers[0].weight.grad, plain.backbone.layers[0].weight.grad)


def test_a_resumed_run_has_the_losses_of_an_uninterrupted_one(tmp_path):
    batch, whole, options = whole_batch(), Record(), {"feature_scaling": "standard"}
    trainer_for(tmp_path, 8, whole).fit(task_of(small_image_captioner(**options)), loader(batch))
    first, second = Record(), Record()
    trainer = trainer_for(tmp_path, 5, first)
    trainer.fit(task_of(small_image_captioner(**options)), loader(batch))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    other = task_of(small_image_captioner(seed=3, **options))
    trainer_for(tmp_path, 8, second).fit(other, loader(batch), ckpt_path=tmp_path / "a.ckpt", weights_only=True)
    assert first.losses + second.losses == whole.losses


def test_images_without_captions_are_no_obstacle(tmp_path):
    empty = Regions(torch.zeros(0, 4), torch.zeros(0, 3, dtype=torch.long))
    batch = shorter(whole_batch())
    blank = Batch(batch.images, batch.image_sizes, [empty], ["a"], batch.original_sizes)
    trainer = trainer_for(tmp_path, 1)
    data = torch.utils.data.DataLoader([batch, blank], batch_size=None)
    trainer.validate(task_of(small_image_captioner()), data, verbose=False)
    assert math.isfinite(trainer.callback_metrics["val/perplexity"].item())
