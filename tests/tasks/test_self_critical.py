"""Self-critical training: what captions are worth, the gradient it follows, and that rewards rise."""

from functools import partial

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from densecap.data.hdf5 import RegionFile
from densecap.errors import UserError
from densecap.metrics.cider import cider, document_frequencies
from densecap.tasks.rewards import CiderReward, advantages, spelled, training_frequencies
from densecap.tasks.schedules import constant
from densecap.tasks.self_critical import SelfCriticalTask, first_of_each
from tests.fakes.whole_images import small_image_captioner, whole_batch, write_whole_images
from tests.tasks.test_dense_captioning import loader, trainer_for


class Source(pl.LightningDataModule):
    """Batches, and the file whose captions say how common words are."""

    def __init__(self, file, batch, steps):
        super().__init__()
        self.file, self.batch, self.steps = file, batch, steps

    def train_dataloader(self):
        return torch.utils.data.DataLoader([self.batch] * self.steps, batch_size=None)

    def val_dataloader(self):
        return loader(self.batch)


class Rewards(pl.Callback):
    """Keeps the reward of every step."""

    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, *arguments):
        self.seen.append(trainer.callback_metrics["train/reward"].item())


def task_of(model, lr=1e-2, **options):
    return SelfCriticalTask(model, partial(torch.optim.Adam, lr=lr), constant, **options)


@pytest.fixture
def file(tmp_path):
    return write_whole_images(tmp_path / "a.h5", ["train"] * 12 + ["val"] * 2)


def test_captions_are_spelled_by_ids_and_end_only_where_they_do():
    tokens = torch.tensor([[3, 12, 0, 0], [1, 2, 3, 4], [0, 0, 0, 0]])
    assert spelled(tokens) == ["3 12 end", "1 2 3 4 end", "end"]
    assert spelled(tokens, ended=False) == ["3 12 end", "1 2 3 4", "end"]


def test_rewards_are_cider_with_the_frequencies_of_the_training_captions(file):
    source = RegionFile(file)
    reward = CiderReward(training_frequencies(source))
    # image i has the captions "i+1 1" and "i+1 2" as ids
    texts = [[f"{image + 1} {row + 1} end" for row in range(2)] for image in range(12)]
    expected = cider(["5 1 end", "5 7 end"], [texts[4]] * 2, document_frequencies(texts)).images
    found = reward(["5 1 end", "5 7 end"], [texts[4]] * 2)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found[0] > 2 * found[1] > 0
    cut_off = reward(["5 1"], [texts[4]])
    assert cut_off[0] < found[0]


def test_each_caption_is_measured_by_the_mean_of_the_others():
    found = advantages(torch.tensor([[1.0, 2.0, 6.0], [4.0, 4.0, 4.0]]))
    torch.testing.assert_close(found, torch.tensor([[-3.0, -1.5, 4.5], [0.0, 0.0, 0.0]]))


def test_distinct_boxes_of_images_and_their_owners():
    whole, half = [0.0, 0, 10, 10], [0.0, 0, 5, 10]
    firsts, owners = first_of_each(
        [torch.tensor([whole, whole]), torch.zeros(0, 4), torch.tensor([whole, half, whole])]
    )
    assert firsts.tolist() == [0, 2, 3] and owners.tolist() == [0, 0, 1, 2, 1]


@pytest.mark.parametrize("cross_entropy", [0.0, 0.5])
def test_the_gradient_is_that_of_the_weighted_log_probabilities(cross_entropy):
    model, batch = small_image_captioner(), whole_batch()
    task = task_of(model, num_samples=2, cross_entropy=cross_entropy)
    task.log = task.log_dict = lambda *arguments, **options: None
    drawn = torch.tensor([[1, 2, 0], [3, 0, 0], [4, 5, 6], [0, 0, 0]])  # 6 words, 4 ENDs
    rewards = torch.tensor([[3.0, 1.0], [0.0, 5.0]])
    task._draw = lambda features, owners, tokens: (drawn, rewards)
    task.training_step(batch, 0).backward()

    other = small_image_captioner()
    boxes = [regions.boxes for regions in batch.regions]
    features = other.box_features(batch.images, batch.image_sizes, boxes)[[0, 0, 3, 3]]
    weights = torch.tensor([2.0, -2.0, -5.0, 5.0])  # r - b
    loss = (weights * other.decoder.loss(features, drawn)).sum() / 10
    (loss + cross_entropy * other(batch)["caption"]).backward()
    for own, expected in zip(model.parameters(), other.parameters()):
        torch.testing.assert_close(own.grad, expected.grad, rtol=1e-4, atol=1e-7)


def test_rewards_rise(tmp_path, file):
    model, rewards = small_image_captioner(), Rewards()
    trainer = trainer_for(tmp_path, 150, rewards)
    trainer.fit(task_of(model, num_samples=8, max_length=6), datamodule=Source(file, whole_batch(), 150))
    first, last = np.mean(rewards.seen[:15]), np.mean(rewards.seen[-15:])
    assert last > first + 0.5 and last > 3 * first
    assert not model.decoder.training and {"val/loss", "val/perplexity"} <= set(trainer.callback_metrics)


def test_what_it_needs(tmp_path):
    with pytest.raises(UserError, match="task.num_samples is a whole number above 1, got 1"):
        task_of(small_image_captioner(), num_samples=1)
    with pytest.raises(UserError, match="task=self_critical needs the captions of a data module"):
        trainer_for(tmp_path, 1).fit(task_of(small_image_captioner()), loader(whole_batch()))
