"""``python train.py model=densecap_vgg16 trainer.devices=4``: four processes of 138 million weights and more."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_one_step_of_the_released_model_on_four_devices(tmp_path):
    """Small pictures and random weights on the processor; one folder, and no word about strategies."""
    with (tmp_path / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "caption", "x", "y", "width", "height", "split"])
        for number in range(4):
            Image.effect_noise((64, 48), 60).convert("RGB").save(tmp_path / f"{number}.png")
            writer.writerow([f"{number}.png", "a red thing", 2, 3, 30, 20, "train"])
    small = ["data=csv", "data.root=.", "data.image_size=64", "model.localization.region_batch_size=16"]
    quick = ["model.backbone.weights=null", "trainer.max_steps=1", "trainer.accelerator=cpu", "metric=none"]
    quick += ["callbacks.checkpoint=null", "trainer.enable_checkpointing=false"]  # gigabytes
    command = [sys.executable, str(ROOT / "train.py"), "model=densecap_vgg16", "trainer.devices=4", *small, *quick]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    [run] = (tmp_path / "outputs" / "train").iterdir()
    assert '"step": 1' in (run / "status.json").read_text() and '"finished"' in (run / "status.json").read_text()
    assert "MEMBER: 4/4" in done.stderr
