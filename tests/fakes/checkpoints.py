"""Checkpoints as the tasks write them, of models that were never trained."""

from __future__ import annotations

from pathlib import Path

import torch
from omegaconf import OmegaConf

from densecap import checkpoint
from densecap.cli.composition import compose
from densecap.text.vocabulary import Vocabulary
from tests.fakes.whole_images import WORDS


def composed(*options):
    """The plain configuration of ``train`` with these options; data is csv."""
    config = compose("train", ["data=csv", "data.root=x", "paths.output_dir=x", *options])
    return OmegaConf.to_container(config, resolve=True)


def save_checkpoint(path: Path, *options: str, seed: int = 0):
    """A checkpoint of the model that these options of ``train`` describe; returns the model."""
    torch.manual_seed(seed)
    config = composed(*options)
    model = checkpoint.build_model(config["model"], Vocabulary(WORDS)).eval()
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    torch.save({"state_dict": state, "densecap": checkpoint.card(config, model)}, path)
    return model
