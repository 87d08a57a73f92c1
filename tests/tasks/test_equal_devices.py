"""Two processes give the figures of one device with the same global batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.region_file import write_fake
from tests.tasks.equal_devices import fit

ROOT = Path(__file__).parents[2]

#: Regions of the twelve training and three validation images, of which two have none; every phrase of an image is a
#: word longer than the one before, so that the shares of two processes differ in regions and in words.
REGIONS = [3, 0, 1, 2, 5, 1, 1, 4, 2, 1, 3, 1, 2, 0, 3]


def region_file(folder):
    splits = ["train"] * 12 + ["val"] * 3
    sizes = [(64, 48) if number % 3 else (48, 64) for number in range(15)]
    return write_fake(folder / "fake.h5", splits, REGIONS, sizes)


def two_processes(file, folder, kind, *words):
    command = [sys.executable, "-m", "tests.tasks.equal_devices", str(file), str(folder / "out"), kind, "2", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((folder / f"out.{rank}").read_text()) for rank in range(2)]


def close(one, other, tolerance=1e-5):
    assert one.keys() == other.keys()
    assert one == {name: pytest.approx(value, rel=tolerance, abs=tolerance) for name, value in other.items()}


@pytest.mark.long
@pytest.mark.parametrize("kind", ["dense", "whole"])
def test_two_processes_and_one_device(tmp_path, kind):
    file = region_file(tmp_path)
    first, second = two_processes(file, tmp_path, kind)
    _, alone = fit(file, kind, 1)
    assert len(alone["steps"]) == 6 and len(alone["validations"]) == 2
    for rank in (first, second):
        for one, other in zip(rank["steps"], alone["steps"], strict=True):
            close(one, other)
        for one, other in zip(rank["validations"], alone["validations"], strict=True):
            losses = {name for name in other if "loss" in name or "perplexity" in name}
            assert losses and losses < set(other)
            close({name: one[name] for name in losses}, {name: other[name] for name in losses})
            assert all(one[name] == other[name] for name in set(other) - losses)
        close(rank["weights"], alone["weights"], 1e-4)


def test_batches_whose_gradients_are_added_up_are_one_batch(tmp_path):
    """Of regions: every image weighs the same."""
    file = region_file(tmp_path)
    _, whole = fit(file, "dense", 1)
    _, parts = fit(file, "dense", 1, accumulate_grad_batches=2)
    close(parts["weights"], whole["weights"], 1e-4)
