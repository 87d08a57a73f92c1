"""Weights & Biases and MLflow: Lightning's loggers, which go on with their run where this run goes on in its folder."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import MLFlowLogger, WandbLogger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from densecap.errors import UserError


class WandbLog(WandbLogger):
    """Remembers the run's id in ``wandb/run_id`` of the run folder; arguments as of Lightning's ``WandbLogger``."""

    def __init__(self, save_dir: str, id: str | None = None, **options: Any) -> None:
        _require("wandb", "wandb", "pip install wandb")
        self._id_file = Path(save_dir) / "wandb" / "run_id"
        id = id or _text_in(self._id_file)
        super().__init__(save_dir=save_dir, id=id, resume=None if options.get("offline") else "allow", **options)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        run = super().experiment
        if not self._id_file.exists():
            _write(self._id_file, str(run.id))
        return run


class MlflowLog(MLFlowLogger):
    """Remembers the run's id in ``mlflow_run`` of the run folder; other arguments as of Lightning's ``MLFlowLogger``.

    Without an address, here or in MLFLOW_TRACKING_URI, runs are kept in the folder ``runs_dir``.
    """

    def __init__(self, save_dir: str, runs_dir: str, tracking_uri: str | None = None, **options: Any) -> None:
        _require("mlflow", "mlflow", 'pip install "densecap[mlflow]"')
        address = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or f"file:{Path(runs_dir).resolve()}"
        if address.startswith("file:"):  # mlflow 3 wants to be told that a folder, not a database, is meant
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        self._id_file = Path(save_dir) / "mlflow_run"
        known = _text_in(self._id_file)
        self._goes_on = known is not None
        super().__init__(tracking_uri=address, run_id=known, **options)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        client = super().experiment
        if self._run_id is not None and not self._id_file.exists():
            _write(self._id_file, self._run_id)
        return client

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """Once: mlflow refuses other values later, and a run that goes on has ``resume=auto`` among them."""
        if not self._goes_on:
            super().log_hyperparams(_dotted(params))

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Letters that mlflow does not take are written out: ``recall@.5`` becomes ``recall_at_.5``."""
        super().log_metrics({re.sub(r"@", "_at_", name): float(value) for name, value in metrics.items()}, step)


def _require(module: str, logger: str, how: str) -> None:
    """Errors: UserError with what to install when a module is missing."""
    if importlib.util.find_spec(module) is None:
        raise UserError(f"logger={logger} needs the package {module}, which is not installed: {how}")


def _dotted(node: Any) -> Any:
    """Keys of sections without slashes, which separate sections in mlflow: the choice ``model/decoder``."""
    if isinstance(node, Mapping):
        return {str(key).replace("/", "."): _dotted(value) for key, value in node.items()}
    return node


def _text_in(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(file)
