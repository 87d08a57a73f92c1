"""Checkpoints of small models of the shipped parts, random but with boxes and words that differ."""

from __future__ import annotations

from pathlib import Path

import torch

from densecap import checkpoint
from densecap.text.vocabulary import Vocabulary
from tests.fakes.checkpoints import composed
from tests.fakes.whole_images import WORDS

DENSE = (
    "model=densecap_small",
    "model.image_size=96",
    "model.backbone.widths=[8,8,8,8]",
    "model.backbone.num_blocks=1",
    "model.localization.hidden_channels=8",
    "model.recognition.hidden_dim=24",
    "model.decoder.embedding_dim=16",
    "model.decoder.hidden_dim=16",
    "detection.max_detections=12",
    "generation.max_length=6",
)
WHOLE = (
    "model=mrnn_mobilenet_v2",
    "model/backbone=conv_small",
    "model.backbone.widths=[8,8,8,8]",
    "model.backbone.num_blocks=1",
    "model.input_size=64",
    "model.decoder.embedding_dim=16",
    "model.decoder.hidden_dim=24",
    "model.decoder.multimodal_dim=24",
    "generation.max_length=6",
)


def save_small_model(path: Path, options: tuple[str, ...] = DENSE, *more: str) -> Path:
    """A checkpoint as training writes it, of a model that was never trained."""
    torch.manual_seed(3)
    config = composed(*options, *more)
    model = checkpoint.build_model(config["model"], Vocabulary(WORDS), pretrained=False).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith(("localization", "recognition")) and parameter.dim() > 1:
                parameter.normal_(0, 0.03)
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    content = {"state_dict": state, "densecap": checkpoint.card(config, model), "epoch": 4, "global_step": 70}
    content["CaptioningDataModule"] = {"trained_on": torch.arange(5)}
    torch.save(content, path)
    return path
