"""A folder with everything that documented commands read: photos, miniature data sets, untrained models."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import torch
import torchvision
from omegaconf import OmegaConf
from PIL import Image

from densecap import checkpoint
from densecap.cli.composition import compose
from densecap.text.vocabulary import Vocabulary
from tests.fakes.densecap_t7 import save_densecap_t7
from tests.fakes.flickr8k import write_flickr8k
from tests.fakes.visual_genome import write_visual_genome

SHIM = Path(__file__).with_name("small_python.py")
DENSE = ("experiment=quickstart", "data.image_size=96", "detection.max_detections=5")
WHOLE = ("model=mrnn_mobilenet_v2", "data=flickr8k", "model.backbone.weights=null", "data.image_size=96")


def furnish(folder: Path) -> None:
    """Write it all into ``folder``."""
    (folder / "photos").mkdir(parents=True)
    (folder / "data" / "coco" / "test2014").mkdir(parents=True)
    for index in range(3):
        Image.effect_noise((120, 90), 80).convert("RGB").save(folder / "photos" / f"{index}.png")
        name = f"COCO_test2014_{index + 1:012d}.jpg"
        Image.effect_noise((120, 90), 80).convert("RGB").save(folder / "data" / "coco" / "test2014" / name)
    Image.effect_noise((120, 90), 60).convert("RGB").save(folder / "photo.jpg")
    write_visual_genome(folder / "data" / "visual_genome")
    write_flickr8k(folder / "data" / "flickr8k", (8, 4, 4))
    _write_table(folder / "my_photos")
    save_densecap_t7(folder / "densecap-pretrained-vgg16.t7")
    torch.save(torchvision.models.mobilenet_v2().state_dict(), folder / "mobilenet_v2.pth")
    words = ["a", "man", "dog", "red", "circle"]
    for number, (name, options) in enumerate((("mrnn", WHOLE), ("run", DENSE))):
        file = folder / "outputs" / "train" / name / "checkpoints" / "best.ckpt"
        save_untrained(file, words, *options)
        os.utime(file, (1_700_000_000 + number,) * 2)
    python = folder / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SHIM}" "$@"\n', encoding="utf-8")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)


def _write_table(folder: Path) -> None:
    folder.mkdir()
    rows = ["image,caption,x,y,width,height,split"]
    for index in range(6):
        Image.effect_noise((96, 72), 70).convert("RGB").save(folder / f"{index}.png")
        rows.append(f"{index}.png,a red circle,10,10,40,30,{'train' if index < 4 else 'val'}")
    (folder / "captions.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def save_untrained(file: Path, words: list[str], *options: str) -> None:
    """A checkpoint of random weights; its folder is made."""
    torch.manual_seed(0)
    cfg = compose("train", [*options, "paths.output_dir=x"])
    groups = ("model", "data", "detection", "generation")
    config = {name: OmegaConf.to_container(cfg[name], resolve=True) for name in groups}
    model = checkpoint.build_model(config["model"], Vocabulary(words)).eval()
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    file.parent.mkdir(parents=True)
    torch.save({"state_dict": state, "densecap": checkpoint.card(config, model)}, file)
