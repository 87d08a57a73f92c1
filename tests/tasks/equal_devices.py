"""One device, or one of two processes: train a few steps on a global batch of four and write down every figure.

Run as a script: ``equal_devices.py REGION_FILE OUT KIND DEVICES [STRATEGY]``; KIND is dense or whole, late (dense,
whose backbone learns from the third step on), forked (whole, whose backbone has parts that whole images do not see, and
whose features are scaled by what was seen) or critical (whole, learning from drawn captions).
"""

import json
import sys
import warnings
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import DDPStrategy

from densecap.builder import build
from densecap.callbacks.caption_metrics import CaptionMetrics
from densecap.callbacks.finetune_backbone import FinetuneBackbone
from densecap.cli.composition import compose
from densecap.data.datamodule import CaptioningDataModule
from densecap.metrics.dense_modules import ProposalRecallMetric
from densecap.metrics.modules import BleuMetric
from densecap.tasks.dense_captioning import DenseCaptioningTask
from densecap.tasks.image_captioning import ImageCaptioningTask
from densecap.tasks.schedules import warmup_cosine
from densecap.tasks.self_critical import SelfCriticalTask
from densecap.tasks.sharding import spread_if_asked
from tests.conftest import TwoConvolutions, miniature_captioner
from tests.fakes.whole_images import small_image_captioner

GLOBAL_BATCH = 4


class Record(pl.Callback):
    """The losses of every step and the figures of every validation, as they are logged."""

    def __init__(self):
        self.steps, self.validations = [], []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.steps.append({k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("train/")})

    def on_validation_end(self, trainer, pl_module):
        self.validations.append({k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val/")})


class Forked(TwoConvolutions):
    """The map goes through another layer, whole images do not; the second layer is new, so that it always learns."""

    def __init__(self):
        super().__init__()
        self.fork = torch.nn.Conv2d(6, 6, 1)
        self.new_parts = [self.fork]

    def forward(self, images):
        return (self.fork(super().forward(images)[0]),)

    def image_features(self, images):
        return self.pool_image(super().forward(images)[0])


def task_of(kind):
    optimizer, schedule = partial(torch.optim.SGD, lr=2e-2), partial(warmup_cosine, warmup_steps=2)
    if kind in ("dense", "late"):
        return DenseCaptioningTask(without_dropout(miniature_captioner()), optimizer, schedule, sampling_seed=3)
    options = {"backbone": Forked(), "feature_scaling": "standard"} if kind == "forked" else {}
    cls = SelfCriticalTask if kind == "critical" else ImageCaptioningTask
    return cls(without_dropout(small_image_captioner(**options)), optimizer, schedule)


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout") and isinstance(module.dropout, float):
            module.dropout = 0.0
    return model


def fit(file, kind, devices, strategy="ddp", **options):
    """The record of two epochs, and all weights afterwards."""
    torch.manual_seed(0)
    record = Record()
    sharded = strategy == "sharded"
    task = task_of(kind)
    metrics = {"bleu": BleuMetric(), **({"recall": ProposalRecallMetric()} if task.model.finds_boxes else {})}
    late = [FinetuneBackbone(after_step=2)] if kind == "late" else []
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=devices,
        strategy=strategy_of(strategy) if devices > 1 or sharded else "auto",
        max_epochs=2,
        callbacks=[CaptionMetrics(metrics), record, *late],
        logger=False,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        gradient_clip_val=5.0,
        **options,
    )
    batch = GLOBAL_BATCH // devices // options.get("accumulate_grad_batches", 1)
    data = CaptioningDataModule(file, 64, batch, flip=True, seed=5)
    spread_if_asked(task, trainer)
    trainer.fit(task, datamodule=data)
    shares = {}
    if sharded:
        task.model.reshard()  # validation left it whole
        shares = {name: value.to_local().numel() / value.numel() for name, value in task.model.named_parameters()}
        shares = {name: share for name, share in shares.items() if name.endswith("weight")}
    state = {name: whole(value) for name, value in task.model.state_dict().items()}
    weights = {name: value.double().sum().item() for name, value in state.items()}
    return trainer, {"steps": record.steps, "validations": record.validations, "weights": weights, "shares": shares}


def whole(value):
    return value.full_tensor() if hasattr(value, "full_tensor") else value


def strategy_of(name):
    """``sharded`` is what ``trainer=fsdp`` builds, ``static`` DDP that takes every step to be like the first."""
    if name == "static":
        return DDPStrategy(static_graph=True)
    if name == "sharded":
        return build(compose("train", ["trainer=fsdp", "paths.output_dir=x"]).trainer.strategy)
    return name


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    found, out, kind, devices = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    trainer, figures = fit(found, kind, devices, *sys.argv[5:])
    out.with_name(f"{out.name}.{trainer.global_rank}").write_text(json.dumps(figures))
