"""``train``: build the data, the model, the task and the trainer; fit."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
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
from densecap.models.backbones.precomputed import Precomputed
from densecap.models.captioner import Captioner
from densecap.models.views import in_words
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
    resume = _resume_path(cfg)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    data = _data(cfg)
    if global_rank() == 0:
        write_run_record(folder, plain)
    model = _model(plain, data, resume or cfg.init, resumes=bool(resume))
    model.detection, model.generation = build(cfg.detection), build(cfg.generation)
    if cfg.init:
        _initialise(model, data, cfg.init)
    task = build(cfg.task)(model=model, optimizer=_optimizer(cfg), scheduler=build(cfg.scheduler), config=plain)
    trainer = build(
        cfg.trainer,
        callbacks=_callbacks(cfg, data, model),
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


def _optimizer(cfg: DictConfig) -> Callable[..., torch.optim.Optimizer]:
    """The optimiser's constructor; not fused where that would unscale the gradients that are to be clipped."""
    if cfg.optimizer.get("fused") and str(cfg.trainer.precision).startswith("16"):
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
    nodes: dict[str, Any] = {name: node for name, node in plain.items() if node}  # type: ignore[union-attr, misc]
    checkpoint_node = nodes.pop("checkpoint", None)
    callbacks = {name: build(node) for name, node in nodes.items()}
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


def monitored(wanted: str, callbacks: Mapping[str, pl.Callback], finds_boxes: bool = True) -> str:
    """The figure that decides which state is best; errors: UserError for one that no metric of this run gives."""
    figures = [name for item in callbacks.values() if isinstance(item, CaptionMetrics) for name in item.names]
    if not finds_boxes:
        figures.append("val/perplexity")  # logged by the task
    if wanted == "auto":
        best = DENSE_MAP if finds_boxes else CIDER
        return best if best in figures else "val/loss"
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
        if "optimizer_states" not in checkpoint.read(cfg.ckpt):
            raise UserError(
                f"{cfg.ckpt} holds a model but no run to go on with: start from its weights, init={cfg.ckpt}"
            )
        return str(cfg.ckpt)
    newest = checkpoint.newest(cfg.paths.outputs, name="last")
    if newest is None:
        raise UserError(
            f"ckpt=last finds no checkpoints/last.ckpt under {cfg.paths.outputs}; train first, or give a path"
        )
    console.print(f"resuming {newest}")
    return str(newest)


def _initialise(model: Captioner, data: CaptioningDataModule, path: str) -> None:
    content = checkpoint.read(path)
    data.trained_before = checkpoint.trained_on(content)
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
    ):
        warnings.filterwarnings("ignore", text)
    torch.set_float32_matmul_precision("high")


def _without(text: str) -> Callable[[logging.LogRecord], bool]:
    return lambda record: text not in record.getMessage()
