"""``train``: build the data, the model, the task and the trainer; fit."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from densecap import checkpoint
from densecap.builder import build
from densecap.callbacks.caption_metrics import CaptionMetrics
from densecap.commands.preprocess import prepare
from densecap.commands.run_record import run_folder, write_run_record
from densecap.data.datamodule import CaptioningDataModule
from densecap.data.hdf5 import RegionFile
from densecap.distributed import global_rank
from densecap.errors import UserError
from densecap.models.dense_captioner import DenseCaptioner
from densecap.text.vocabulary import Vocabulary
from densecap.transfer import transfer_weights

console = Console(stderr=True)

#: The figure that decides, where it is computed, unless another is named.
DENSE_MAP = "val/dense_mAP"


def run(cfg: DictConfig) -> int:
    """Train as the config says; checkpoints and logs go to the run folder."""
    _quiet()
    folder = run_folder()
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    plain["choices"] = {key: value for key, value in HydraConfig.get().runtime.choices.items() if "hydra" not in key}
    resume = _resume_path(cfg)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    data = _data(cfg)
    if global_rank() == 0:
        write_run_record(folder, plain)
    model = checkpoint.build_model(plain["model"], data.vocabulary, pretrained=not (resume or cfg.init))
    if (resume or cfg.init) and plain["model"]["backbone"].get("weights"):
        model.backbone.mark_pretrained()  # its weights come with the checkpoint, its stem stays as it is
    model.detection, model.generation = build(cfg.detection), build(cfg.generation)
    if cfg.init:
        _initialise(model, cfg.init)
    task = build(cfg.task)(model=model, optimizer=build(cfg.optimizer), scheduler=build(cfg.scheduler), config=plain)
    trainer = build(
        cfg.trainer,
        callbacks=_callbacks(cfg, data),
        logger=[build(node) for node in cfg.logger.values() if node] if cfg.logger else False,
        default_root_dir=str(folder),
    )
    trainer.fit(task, datamodule=data, ckpt_path=resume, weights_only=True)
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # the next job of a sweep starts its own
    if trainer.interrupted:
        console.print(
            f"stopped; go on with: python train.py ckpt={_checkpoints(trainer) / 'last.ckpt'} (and the same options)"
        )
        return 130
    if global_rank() == 0:
        _say_where(trainer)
    return 0


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


def _callbacks(cfg: DictConfig, data: CaptioningDataModule) -> list[pl.Callback]:
    """The callbacks of the config; without validation images the best checkpoint is the latest."""
    plain = OmegaConf.to_container(cfg.callbacks, resolve=True)
    nodes: dict[str, Any] = {name: node for name, node in plain.items() if node}  # type: ignore[union-attr, misc]
    checkpoint_node = nodes.pop("checkpoint", None)
    callbacks = {name: build(node) for name, node in nodes.items()}
    if checkpoint_node is None:
        return list(callbacks.values())
    if len(RegionFile(data.file).indices("val")) == 0:
        checkpoint_node["monitor"] = None
        console.print("there are no validation images, so best.ckpt will be the latest state")
    elif checkpoint_node.get("monitor"):
        checkpoint_node["monitor"] = monitored(checkpoint_node["monitor"], callbacks)
    return [build(checkpoint_node), *callbacks.values()]


def monitored(wanted: str, callbacks: Mapping[str, pl.Callback]) -> str:
    """The figure that decides which state is best; errors: UserError for one that no metric of this run gives."""
    figures = [name for item in callbacks.values() if isinstance(item, CaptionMetrics) for name in item.names]
    if wanted == "auto":
        return DENSE_MAP if DENSE_MAP in figures else "val/loss"
    if wanted not in figures and not wanted.startswith("val/loss"):
        known = ", ".join(["auto", "val/loss", *figures])
        raise UserError(f"callbacks.checkpoint.monitor={wanted} is no figure of this run: choose among {known}")
    return wanted


def _resume_path(cfg: DictConfig) -> str | None:
    if not cfg.ckpt:
        return None
    if cfg.init:
        raise UserError("ckpt= resumes a run and init= starts a new one from its weights; give one of them")
    if cfg.ckpt != "last":
        checkpoint.read(cfg.ckpt)
        return str(cfg.ckpt)
    newest = checkpoint.newest(cfg.paths.outputs, name="last")
    if newest is None:
        raise UserError(
            f"ckpt=last finds no checkpoints/last.ckpt under {cfg.paths.outputs}; train first, or give a path"
        )
    console.print(f"resuming {newest}")
    return str(newest)


def _initialise(model: DenseCaptioner, path: str) -> None:
    content = checkpoint.read(path)
    report = transfer_weights(model, checkpoint.weights_of(content), Vocabulary(content["densecap"]["words"]))
    console.print(f"init={path}: {report.sentence()}")


def _checkpoints(trainer: pl.Trainer) -> Path:
    return Path(trainer.checkpoint_callback.dirpath or ".")  # type: ignore[union-attr]


def _say_where(trainer: pl.Trainer) -> None:
    best = getattr(trainer.checkpoint_callback, "best_model_path", "")
    if best:
        console.print(f"best checkpoint: {best}")
        console.print(f"try it: python predict.py source=PHOTO ckpt={best}")


def _quiet() -> None:
    """Leave out messages a user can do nothing about."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(
        lambda record: "litlogger" not in record.getMessage()
    )
    for text in (
        ".*does not have many workers.*",
        ".*exists and is not empty.*",
        ".*sync_dist.*",
        ".*isinstance.treespec.*",
    ):
        warnings.filterwarnings("ignore", text)
    torch.set_float32_matmul_precision("high")
