"""Loggers of services that are not there: they remember what they are given."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from PIL import Image
from pytorch_lightning.loggers import MLFlowLogger, WandbLogger


class _Recording:
    """``figures`` maps a name to [(step, value), ...]."""

    def _forget(self):
        self.hyperparameters, self.figures = {}, {}
        self.status = None

    def log_hyperparams(self, params, *_, **__):
        self.hyperparameters.update(params)

    def log_metrics(self, metrics, step=None):
        for name, value in metrics.items():
            self.figures.setdefault(name, []).append((step, float(value)))

    def save(self):
        pass

    def after_save_checkpoint(self, checkpoint_callback):
        pass

    def finalize(self, status):
        self.status = status

    @property
    def name(self):
        return "recorded"

    @property
    def version(self):
        return "0"

    @property
    def save_dir(self):
        return None


class RecordingWandb(_Recording, WandbLogger):
    """``images`` maps a key to [(step, picture, boxes or None, caption), ...]."""

    def __init__(self):
        self._forget()
        self.images = {}

    def log_image(self, key, images, step=None, caption=None, boxes=None):
        for place, image in enumerate(images):
            found = (step, image, boxes[place] if boxes else None, caption[place])
            self.images.setdefault(key, []).append(found)


class RecordingMlflow(_Recording, MLFlowLogger):
    """``artifacts`` maps the folder and name of a file to the size of the picture in it."""

    def __init__(self):
        self._forget()
        self.artifacts = {}

    def _keep(self, run_id, path, folder):
        with Image.open(path) as picture:
            self.artifacts[f"{folder}/{Path(path).name}"] = picture.size

    @property
    def experiment(self):
        return SimpleNamespace(log_artifact=self._keep)

    @property
    def run_id(self):
        return "run"
