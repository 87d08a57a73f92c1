"""The backbones that have a yaml, built with random weights, and pictures for them."""

import importlib
from pathlib import Path

import pytest
import torch
import yaml

CONFIGS = Path(__file__).parents[2] / "configs" / "model" / "backbone"
#: All but "precomputed", which is no network (see test_image_captioner).
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml") if path.stem != "precomputed")


def build_backbone(name):
    """The backbone of that yaml; skips where timm is not installed."""
    if name == "timm":
        pytest.importorskip("timm")
    node = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    module, target = node.pop("_target_").rsplit(".", 1)
    torch.manual_seed(0)
    return getattr(importlib.import_module(module), target)(**{**node, "weights": None})


def photo(height, width, count=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, height, width), generator=generator, dtype=torch.uint8)
