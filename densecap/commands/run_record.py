"""What a run folder records so that the run can be repeated."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from densecap.commands.fresh_folder import make_fresh_folder, typed

PACKAGES = (
    "densecap",
    "torch",
    "torchvision",
    "pytorch-lightning",
    "hydra-core",
    "omegaconf",
    "numpy",
    "h5py",
    "pillow",
)


def run_folder() -> Path:
    """The folder of this run, which Hydra made."""
    return Path(HydraConfig.get().runtime.output_dir)


def output_folder(cfg: DictConfig) -> Path:
    """The folder ``output.dir`` if that was typed, else a fresh one beside it, with the record of this run."""
    folder = Path(str(cfg.output.dir)).expanduser()
    if typed("output.dir"):
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    folder = make_fresh_folder(folder)
    write_run_record(folder, OmegaConf.to_container(cfg, resolve=True))  # type: ignore[arg-type]
    return folder


def write_run_record(folder: Path, config: dict[str, Any]) -> None:
    """``config.yaml``, fully resolved, and ``run.json``: command, git revision, versions, seed, machine."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    record = {
        "command": sys.argv,
        "overrides": list(HydraConfig.get().overrides.task),
        "seed": config.get("seed"),
        "git": git_revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
    }
    (folder / "run.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def git_revision() -> dict[str, Any] | None:
    """The commit the code runs from and whether files differ from it; None outside a git checkout."""
    folder = Path(__file__).resolve().parents[2]

    def ask(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if Path(ask("rev-parse", "--show-toplevel")) != folder:
            return None
        return {"revision": ask("rev-parse", "HEAD"), "changed_files": ask("status", "--porcelain").splitlines()}
    except (OSError, subprocess.CalledProcessError):
        return None
