"""``train``: build the data, the model, the task and the trainer; fit."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import ProgressBar
from rich.console import Console

from densecap import checkpoint
from densecap.builder import build
from densecap.callbacks.caption_metrics import CaptionMetrics
from densecap.callbacks.pruning import TrialObjective
from densecap.callbacks.stop_request import Stopped
from densecap.commands.draw_batches import draw_batches
from densecap.commands.preprocess import prepare
from densecap.commands.resuming import checkpoint_to_resume, is_finished
from densecap.commands.run_record import run_folder, write_run_record
from densecap.commands.start_summary import introduce, training_size
from densecap.data.datamodule import CaptioningDataModule
from densecap.data.hdf5 import RegionFile
from densecap.distributed import global_rank, meet_anew
from densecap.errors import UserError
from densecap.models.backbones.precomputed import Precomputed
from densecap.models.captioner import Captioner
from densecap.models.views import in_words
from densecap.sweeps.outcome import mode_of, write_objective
from densecap.sweeps.pruning import judge_of
from densecap.tasks.base import CaptioningTask
from densecap.tasks.batch_statistics import share_batch_statistics
from densecap.tasks.dense_captioning import DenseCaptioningTask
from densecap.tasks.image_captioning import ImageCaptioningTask
from densecap.tasks.sharding import spread_if_asked
from densecap.text.vocabulary import Vocabulary
from densecap.transfer import transfer_weights

console = Console(stderr=True)

#: The figures that decide, where they are computed, unless another is named: of models that find boxes, and of others.
DENSE_MAP, CIDER = "val/dense_mAP", "val/CIDEr"


def run(cfg: DictConfig) -> int:
    """Train as the config says; checkpoints and logs go to the run folder."""
    _quiet()
    folder = run_folder()
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    plain["choices"] = {key: value for key, value in HydraConfig.get().runtime.choices.items() if "hydra" not in key}
    if is_finished(cfg, folder):
        console.print(f"{folder} is finished: nothing to go on with", soft_wrap=True, markup=False)
        return 0
    resume = checkpoint_to_resume(cfg, plain, folder, console if global_rank() == 0 else Console(quiet=True))
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    loggers = [build(node) for node in cfg.logger.values() if node] if cfg.logger else False
    data = _data(cfg)
    if global_rank() == 0:
        write_run_record(folder, plain)
    if cfg.draw_batches:
        draw_batches(data, folder, cfg.draw_batches, console)
        return 0
    model = _model(plain, data, resume or cfg.init, resumes=bool(resume))
    model.detection, model.generation = build(cfg.detection), build(cfg.generation)
    if cfg.init and not resume:
        _initialise(model, data, cfg.init)
    if global_rank() == 0:
        introduce(plain, model, lambda: training_size(data), console)
    task = _task(cfg, plain, model)
    trainer = build(
        cfg.trainer,
        callbacks=_with_objective(cfg, _callbacks(cfg, data, model), data, model, folder),
        logger=loggers,
        default_root_dir=str(folder),
        enable_model_summary=False,  # ours knows the parts
        sync_batchnorm=False,  # Lightning would convert layers that learn no statistics, too
    )
    if cfg.trainer.get("sync_batchnorm"):
        said = console if global_rank() == 0 else Console(quiet=True)
        share_batch_statistics(model, trainer, partial(said.print, soft_wrap=True))
    spread_if_asked(task, trainer)
    meet_anew()
    try:
        trainer.fit(task, datamodule=data, ckpt_path=resume, weights_only=True)
    except Stopped as stopped:
        return _say_how_to_go_on(stopped)
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()  # the next job of a sweep starts its own
    if global_rank() == 0:
        _say_where(trainer)
    return 0


def _task(cfg: DictConfig, plain: dict[str, Any], model: Captioner) -> CaptioningTask:
    """Errors: UserError for one that trains the other kind of model."""
    constructor = build(cfg.task)
    other = ImageCaptioningTask if model.finds_boxes else DenseCaptioningTask
    if isinstance(constructor.func, type) and issubclass(constructor.func, other):
        task, chosen = plain["choices"].get("task"), plain["choices"].get("model")
        kind = "finds boxes" if model.finds_boxes else "describes whole images"
        raise UserError(
            f"task={task} does not train model={chosen}, which {kind}: leave task away, for every model chooses its own"
        )
    return constructor(model=model, optimizer=_optimizer(cfg), scheduler=build(cfg.scheduler), config=plain)


def _optimizer(cfg: DictConfig) -> Callable[..., torch.optim.Optimizer]:
    """The optimiser's constructor; not fused where that would unscale the gradients that are to be clipped."""
    precision, clips = str(cfg.trainer.precision), bool(cfg.trainer.gradient_clip_val)
    if cfg.optimizer.get("fused") and "mixed" in precision and (clips or precision.startswith("16")):
        return build(cfg.optimizer, fused=False)
    return build(cfg.optimizer)


def _data(cfg: DictConfig) -> CaptioningDataModule:
    file = prepare(cfg.data, console=console if global_rank() == 0 else Console(quiet=True))
    return CaptioningDataModule(
        file=file,
        image_size=cfg.data.image_size,
        batch_size=cfg.data.batch_size,
        num_workers=cfg.data.num_workers,
        flip=cfg.data.flip,
        shuffle=cfg.data.get("shuffle", True),
        seed=cfg.seed,
        compat=cfg.model.compat,
    )


def _model(plain: dict[str, Any], data: CaptioningDataModule, start: str | None, resumes: bool) -> Captioner:
    """The model of the config, to be filled from the checkpoint ``start`` if there is one, and the data it reads.

    A checkpoint of a model trained on precomputed features has no backbone: then the backbone keeps its own weights.
    """
    content = checkpoint.read(start) if start else None
    has_backbone = content is not None and any(name.startswith("backbone.") for name in checkpoint.weights_of(content))
    model = checkpoint.build_model(plain["model"], data.vocabulary, pretrained=not has_backbone)
    if has_backbone and plain["model"]["backbone"].get("weights"):
        model.backbone.mark_pretrained()  # its weights come with the checkpoint, its stem stays as it is
    if content is not None and start is not None:
        checkpoint.check_same_features(content, model, start, resumes)
    if isinstance(model.backbone, Precomputed):
        _without_pixels(model.backbone, data)
    return model


def _without_pixels(backbone: Precomputed, data: CaptioningDataModule) -> None:
    """Errors: UserError when the features are not those of the prepared images."""
    if data.flip:
        raise UserError("data.flip=true mirrors images, which precomputed features do not follow: give data.flip=false")
    file = RegionFile(data.file)
    backbone.check(file.attrs["name"], file.ids, data.image_size)
    data.pixels = False
    recipe = backbone.recipe
    seen = f"{recipe.crop}, {in_words(recipe.input_size)} pixels"
    console.print(f"features of {recipe.backbone_name} ({seen}) instead of pixels")


def _callbacks(cfg: DictConfig, data: CaptioningDataModule, model: Captioner) -> list[pl.Callback]:
    """The callbacks of the config; without validation images the best checkpoint is the latest."""
    plain = OmegaConf.to_container(cfg.callbacks, resolve=True)
    nodes: dict[str, Any] = {name: node for name, node in plain.items() if node and "_target_" in node}  # type: ignore[union-attr, misc]
    checkpoint_node = nodes.pop("checkpoint", None)
    callbacks = {name: build(node) for name, node in nodes.items()}
    if not cfg.trainer.get("enable_progress_bar", True):  # Lightning refuses one that is not wanted
        callbacks = {name: item for name, item in callbacks.items() if not isinstance(item, ProgressBar)}
    for item in callbacks.values():
        if isinstance(item, CaptionMetrics):
            item.suit(model)
    if checkpoint_node is None:
        return list(callbacks.values())
    if len(RegionFile(data.file).indices("val")) == 0:
        checkpoint_node["monitor"] = None
        console.print("there are no validation images, so best.ckpt will be the latest state")
    elif checkpoint_node.get("monitor"):
        checkpoint_node["monitor"] = monitored(checkpoint_node["monitor"], callbacks, model.finds_boxes)
    return [build(checkpoint_node), *callbacks.values()]


def _with_objective(
    cfg: DictConfig, callbacks: list[pl.Callback], data: CaptioningDataModule, model: Captioner, folder: Path
) -> list[pl.Callback]:
    """The callbacks and the one that follows ``optimized_metric``, which a sweep needs; none without validation."""
    if not cfg.optimized_metric or len(RegionFile(data.file).indices("val")) == 0:
        return callbacks
    by_name = {str(place): item for place, item in enumerate(callbacks)}
    metric = monitored(cfg.optimized_metric, by_name, model.finds_boxes, key="optimized_metric")
    judge = judge_of(folder)
    record = partial(write_objective, folder, metric, mode_of(metric))
    return [*callbacks, TrialObjective(metric, record, judge)]


def monitored(
    wanted: str,
    callbacks: Mapping[str, pl.Callback],
    finds_boxes: bool = True,
    key: str = "callbacks.checkpoint.monitor",
) -> str:
    """The figure that decides which state is best; errors: UserError for one that no metric of this run gives."""
    figures = [name for item in callbacks.values() if isinstance(item, CaptionMetrics) for name in item.names]
    if not finds_boxes:
        figures.append("val/perplexity")  # logged by the task
    if wanted == "auto":
        best = DENSE_MAP if finds_boxes else CIDER
        return best if best in figures else "val/loss"
    if wanted not in figures and not wanted.startswith("val/loss"):
        known = ", ".join(["auto", "val/loss", *figures])
        raise UserError(f"{key}={wanted} is no figure of this run: choose among {known}")
    return wanted


def _initialise(model: Captioner, data: CaptioningDataModule, path: str) -> None:
    content = checkpoint.read(path)
    data.trained_before = checkpoint.trained_on(content)
    report = transfer_weights(model, checkpoint.weights_of(content), Vocabulary(content["densecap"]["words"]))
    console.print(f"init={path}: {report.sentence()}")


def _say_how_to_go_on(stopped: Stopped) -> int:
    """The exit status of a run that a signal ended; processes that another one started end well."""
    if global_rank() != 0:
        return 0
    console.print(f"{stopped}; the same command with resume=auto goes on from here", soft_wrap=True, markup=False)
    return stopped.exit_status


def _say_where(trainer: pl.Trainer) -> None:
    best, last = (getattr(trainer.checkpoint_callback, f"{name}_model_path", "") for name in ("best", "last"))
    lines = [f"best checkpoint: {best}", f"try it: python predict.py source=PHOTO ckpt={best}"] if best else []
    if last and not best:
        lines = [f"no validation was reached, so no state is the best one; the last: {last}"]
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)


def _quiet() -> None:
    """Leave out messages a user can do nothing about."""
    for name, text in (
        ("pytorch_lightning.utilities.rank_zero", "litlogger"),
        ("pytorch_lightning.trainer.connectors.checkpoint_connector", "`weights_only` was not set"),  # saving asks, too
    ):
        logging.getLogger(name).addFilter(_without(text))
    for text in (
        ".*does not have many workers.*",
        ".*exists and is not empty.*",
        ".*sync_dist.*",
        ".*isinstance.treespec.*",
        ".*could not find the monitored key.*",  # said where it does not matter: a validation without it is an error
        ".*`srun` command is available.*",
    ):
        warnings.filterwarnings("ignore", text)
    torch.set_float32_matmul_precision("high")


def _without(text: str) -> Callable[[logging.LogRecord], bool]:
    return lambda record: text not in record.getMessage()
