"""``channels_last`` and ``compile`` are other ways to the same numbers, and leave no trace in checkpoints."""

from functools import partial

import pytest
import torch

from densecap import checkpoint
from densecap.callbacks.faster_parts import FasterParts
from densecap.tasks.dense_captioning import DenseCaptioningTask
from densecap.tasks.image_captioning import ImageCaptioningTask
from densecap.tasks.schedules import constant
from densecap.tasks.state_layout import lay_out_like_weights
from tests.conftest import TwoConvolutions, miniature_captioner
from tests.fakes.whole_images import small_image_captioner, whole_batch
from tests.tasks.test_dense_captioning import Record, loader, trainer_for


class RowsFirst(TwoConvolutions):
    """A backbone whose weights lie channels first in memory; those of the package do not."""

    def complete(self, pretrained, trainable):
        super().complete(pretrained, trainable)
        self.to(memory_format=torch.contiguous_format)


def dense():
    model = miniature_captioner()
    model.backbone = RowsFirst()
    return model


def whole():
    return small_image_captioner(backbone=RowsFirst())


def task_of(model):
    cls = DenseCaptioningTask if model.finds_boxes else ImageCaptioningTask
    config = {"data": {"name": "wholes"}, "model": {"a": 1}}
    return cls(model, partial(torch.optim.Adam, lr=5e-3, fused=True), constant, config=config)


def trained(make, folder, steps, channels_last, start=None):
    """The task, the losses of its steps and its checkpoint."""
    torch.manual_seed(1)
    record, task = Record(), task_of(make())
    callbacks = [record, FasterParts(channels_last=channels_last)]
    trainer = trainer_for(folder, steps, *callbacks)
    trainer.fit(task, loader(whole_batch()), ckpt_path=start, weights_only=True)
    path = folder / f"{channels_last}-{steps}.ckpt"
    trainer.save_checkpoint(path)
    return task, record.losses, path


def kernels(model):
    """Weights whose two layouts differ: those of convolutions over more than one pixel and one channel."""
    found = {n: p for n, p in model.named_parameters() if p.dim() == 4 and p.shape[1] > 1 and p.shape[2:].numel() > 1}
    assert found
    return found


@pytest.mark.parametrize("make", [dense, whole])
def test_the_numbers_are_the_same_and_the_layout_is_in_effect(make, tmp_path):
    plain, wanted, _ = trained(make, tmp_path, 4, False)
    other, losses, _ = trained(make, tmp_path, 4, True)
    assert losses == pytest.approx(wanted, rel=1e-4) and losses[-1] != losses[0]
    for name, weight in kernels(other.model).items():
        channels, height, width = weight.shape[1:]
        assert weight.stride() == (channels * height * width, 1, channels * width, channels), name
        assert weight.grad.stride() == weight.stride(), name
    assert all(weight.is_contiguous() for weight in kernels(plain.model).values())
    with torch.no_grad():
        [pixels] = other.model.backbone(whole_batch().images)
    assert pixels.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("make", [dense, whole])
@pytest.mark.parametrize("first", [False, True])
def test_a_run_goes_on_with_the_other_layout(make, first, tmp_path):
    """The optimiser's state comes out of the file as it was saved, and fused Adam goes through memory."""
    _, wanted, _ = trained(make, tmp_path, 6, first)
    _, begun, path = trained(make, tmp_path, 3, first)
    task, losses, _ = trained(make, tmp_path, 6, not first, path)
    assert begun + losses == pytest.approx(wanted, rel=1e-3)
    layout = torch.contiguous_format if first else torch.channels_last
    assert all(weight.is_contiguous(memory_format=layout) for weight in kernels(task.model).values())


def test_a_checkpoint_of_one_layout_fills_a_model_of_the_other(tmp_path):
    for flag, make in ((True, dense), (False, miniature_captioner)):
        task, _, path = trained(dense, tmp_path, 1, flag)
        weights = checkpoint.weights_of(checkpoint.read(path))
        filled = make()
        before = {name: weight.stride() for name, weight in kernels(filled).items()}
        filled.load_state_dict(weights)
        assert {name: weight.stride() for name, weight in kernels(filled).items()} == before
        assert all(torch.equal(value, filled.state_dict()[name]) for name, value in task.model.state_dict().items())


def test_states_are_laid_out_by_hand():
    weight = torch.nn.Parameter(torch.arange(24.0).view(2, 3, 2, 2).to(memory_format=torch.channels_last))
    optimizer = torch.optim.Adam([weight], fused=True)
    mean = torch.randn(2, 3, 2, 2)
    optimizer.state[weight] = {
        "step": torch.tensor(1.0),
        "exp_avg": mean.clone(),
        "exp_avg_sq": weight.detach().clone(),
    }
    assert lay_out_like_weights(optimizer) == 1 and lay_out_like_weights(optimizer) == 0
    laid = optimizer.state[weight]["exp_avg"]
    assert torch.equal(laid, mean) and laid.stride() == weight.stride() and not laid.requires_grad
