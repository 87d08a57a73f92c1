"""A fixed panel of validation images at every validation, so that one sees the model learn."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.loggers import CSVLogger, MLFlowLogger, TensorBoardLogger, WandbLogger
from pytorch_lightning.strategies import FSDPStrategy, ModelParallelStrategy

from densecap.callbacks.panel_images import PanelImage, PanelMaker
from densecap.prediction.drawing import save_sheet

#: Folder of the run folder that holds the sheets of ``logger=csv``.
FOLDER = "panel"


class ValidationPanel(pl.Callback):
    """Shows ``num_images`` images of the validation split with predicted and true boxes and captions to every logger.

    ``logger=csv`` gets a sheet ``panel/epoch_N.jpg`` in the run folder, TensorBoard and MLflow pictures, W&B photos
    with boxes that can be switched on and off. At most ``num_regions`` boxes of each kind an image are shown; 0 images
    turn it off. Of several processes the first makes the panel, unless the model is spread over all of them.
    """

    def __init__(self, num_images: int = 8, num_regions: int = 8) -> None:
        self.num_images, self.num_regions = num_images, num_regions
        self._maker: PanelMaker | None = None
        #: The panel of the last validation.
        self.images: list[PanelImage] = []

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if trainer.sanity_checking or not self.num_images or not trainer.loggers:
            return
        spread = isinstance(trainer.strategy, FSDPStrategy | ModelParallelStrategy)
        if not (trainer.is_global_zero or spread):
            return
        if self._maker is None:
            dataset = trainer.datamodule.dataset("val")  # type: ignore[attr-defined]
            self._maker = PanelMaker(dataset, "val", self.num_images, self.num_regions)
        with trainer.precision_plugin.forward_context():
            self.images = self._maker.panel(pl_module.model, pl_module.device)
        if trainer.is_global_zero and self.images:
            show(self.images, trainer)


def show(images: Sequence[PanelImage], trainer: pl.Trainer) -> None:
    """Hand the panel to every logger in its own form."""
    name, step = _name(trainer), trainer.global_step
    drawn = None if all(isinstance(logger, WandbLogger) for logger in trainer.loggers) else [i.drawn() for i in images]
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            _to_wandb(logger, images, step)
        elif isinstance(logger, CSVLogger) and drawn:
            folder = Path(logger.save_dir) / FOLDER
            folder.mkdir(parents=True, exist_ok=True)
            save_sheet(folder / f"{name}.jpg", drawn, _columns(images))
        elif isinstance(logger, TensorBoardLogger) and drawn:
            for image, picture in zip(images, drawn):
                place = f"panel/{image.image_id}"
                logger.experiment.add_image(place, np.asarray(picture), step, dataformats="HWC")
        elif isinstance(logger, MLFlowLogger) and drawn:
            with tempfile.TemporaryDirectory() as folder_name:
                path = Path(folder_name) / f"{name}.jpg"
                save_sheet(path, drawn, _columns(images))
                logger.experiment.log_artifact(logger.run_id, str(path), FOLDER)


def _name(trainer: pl.Trainer) -> str:
    """``epoch_3`` for the validation at the end of the third epoch, with the step behind it for one within."""
    epoch, step = trainer.current_epoch + 1, trainer.global_step
    at_end = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
    return f"epoch_{epoch}" if at_end else f"epoch_{epoch}_step_{step}"


def _columns(images: Sequence[PanelImage]) -> int:
    """Photos with boxes come in pairs, which are wide."""
    return 4 if all(image.whole for image in images) else 2


def _to_wandb(logger: WandbLogger, images: Sequence[PanelImage], step: int) -> None:
    """A key for each image, so that its slider shows one image over the steps."""
    for image in images:
        caption = _lines(image) if image.whole else image.image_id
        boxes = {} if image.whole else {"boxes": [wandb_boxes(image)]}
        logger.log_image(f"panel/{image.image_id}", [image.photo], step=step, caption=[caption], **boxes)


def _lines(image: PanelImage) -> str:
    return "\n".join(f"{word}: {region.caption}" for word, region in image.captions())


def wandb_boxes(image: PanelImage) -> dict[str, Any]:
    """Both kinds of regions as ``wandb.Image`` takes them, in pixels."""
    labels = {0: "predicted", 1: "true"}
    sides = (("predictions", 0, image.predicted), ("ground_truth", 1, image.true))
    return {
        name: {
            "class_labels": labels,
            "box_data": [
                {
                    "position": dict(zip(("minX", "minY", "maxX", "maxY"), map(float, region.box))),
                    "domain": "pixel",
                    "class_id": number,
                    "box_caption": region.caption,
                    "scores": {"confidence": float(region.score)},
                }
                for region in regions
            ],
        }
        for name, number, regions in sides
    }
