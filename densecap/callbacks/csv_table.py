"""``logger=csv``: every figure in ``csv/metrics.csv`` of the run folder, and a picture of all curves."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers.csv_logs import CSVLogger, ExperimentWriter
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from densecap.runs.curves import NAME, save_curves
from densecap.runs.history import History, history_of, number


class CsvTable(CSVLogger):
    """Lightning's logger of that kind, which also draws ``curves.png`` at every validation (with ``curves``).

    A run that goes on in its old folder keeps the rows of the steps before; Lightning's own would begin anew.
    """

    def __init__(self, save_dir: str, curves: bool = True) -> None:
        super().__init__(save_dir, name="csv", version="")
        self.curves = curves
        self.heading = ""
        self._history: History | None = None
        self._drawn_at = -1

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        if self._experiment is None:
            Path(self.root_dir).mkdir(parents=True, exist_ok=True)
            self._experiment = _Table(log_dir=self.log_dir)
        return self._experiment

    @rank_zero_only
    def log_hyperparams(self, params: Any = None) -> None:
        super().log_hyperparams(params)
        self.heading = heading_of(params or {})

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        if self._history is None:
            self._history = history_of(self.experiment.go_on_from(step))
        step = self._history.last_step if step is None else step
        figures = {name: float(value) for name, value in metrics.items()}
        super().log_metrics({**figures}, step)
        self._history.add(step, figures)
        if self.curves and any(name.startswith("val/") for name in figures):
            self._draw()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        super().finalize(status)
        if self.curves and self._history is not None and self._history.last_step != self._drawn_at:
            self._draw()

    def _draw(self) -> None:
        assert self._history is not None
        save_curves(self._history, Path(self.save_dir) / NAME, self.heading)
        self._drawn_at = self._history.last_step


class _Table(ExperimentWriter):
    """Writes the rows; those of an earlier attempt at the same run stay."""

    def go_on_from(self, step: int | None) -> list[dict[str, str]]:
        """The rows that stood there already, without those of ``step`` and later, which will come again."""
        path = Path(self.metrics_file_path)
        if not path.exists():
            return []
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows = [row for row in reader if None not in row.values()]  # a process killed while it wrote leaves half
            self.metrics_keys = list(reader.fieldnames or [])
        kept = [row for row in rows if step is None or (number(row.get("step")) or 0) < step]
        self._write(kept)
        return kept

    def _check_log_dir_exists(self) -> None:
        """Lightning's deletes what is there."""

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        with Path(self.metrics_file_path).open(encoding="utf-8", newline="") as file:
            self._write(list(csv.DictReader(file)))

    def _write(self, rows: list[dict[str, str]]) -> None:
        path = Path(self.metrics_file_path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self.metrics_keys)
            writer.writeheader()
            writer.writerows(rows)
        temporary.replace(path)


def heading_of(config: Mapping[str, Any]) -> str:
    """What a configuration trains, on what data: "densecap_small on shapes"."""
    model = (config.get("choices") or {}).get("model", "")
    data = (config.get("data") or {}).get("name", "")
    return f"{model} on {data}" if model and data else model or data
