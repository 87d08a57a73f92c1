"""Settings of several processes as they are typed, on the processor."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATIC = "{_target_: pytorch_lightning.strategies.DDPStrategy, static_graph: true}"


@pytest.mark.long
def test_a_static_graph_and_batch_normalisation_that_learns_nothing(tmp_path):
    """One sentence says that nothing is to be shared, and two steps are made."""
    small = ["data=shapes", "data.image_size=64", "model=densecap_small", "model/backbone=mobilenet_v2"]
    small += ["data.reader.counts.train=8", "data.reader.counts.val=2", "data.reader.counts.test=2"]
    small += ["model.backbone.weights=null", "metric=none", "callbacks.panel=null", "print_config=false"]
    quick = ["trainer.max_steps=2", "trainer.limit_val_batches=0", "callbacks.checkpoint=null"]
    quick += ["trainer=ddp_cpu", "trainer.enable_checkpointing=false", "channels_last=true"]
    settings = ["trainer.sync_batchnorm=true", f"trainer.strategy={STATIC}"]
    command = [sys.executable, str(ROOT / "train.py"), *small, *quick, *settings]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("trainer.sync_batchnorm=true changes nothing: no batch normalisation of this model") == 1
    assert "MEMBER: 2/2" in done.stderr and "strides" not in done.stderr
    [run] = (tmp_path / "outputs" / "train").iterdir()
    assert '"step": 2' in (run / "status.json").read_text()
