"""Where the configuration lies."""

from __future__ import annotations

from pathlib import Path


def config_dir() -> Path:
    """``configs/`` beside the package in a checkout, ``densecap/configs`` in an installed wheel."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "configs" / "train.yaml").is_file():
        return checkout / "configs"
    return package / "configs"
