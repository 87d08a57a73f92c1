"""All processes of a run agree on its folder, and no two runs share one."""

import os
import subprocess
import sys

import pytest
from hydra.core.hydra_config import HydraConfig

from densecap.cli import run_folder
from densecap.cli.composition import COMPOSITION_ERRORS, compose
from densecap.cli.run_folder import launch_id


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, None),
        ({"SLURM_JOB_ID": "77", "SLURM_STEP_ID": "0", "SLURM_JOB_NAME": "train"}, "slurm-77"),
        ({"SLURM_JOB_ID": "77", "SLURM_STEP_ID": "2"}, "slurm-77-2"),
        ({"SLURM_JOB_ID": "77", "SLURM_STEP_ID": "0", "SLURM_JOB_NAME": "bash"}, None),  # an interactive shell
        ({"SLURM_JOB_ID": "77"}, None),  # the batch script itself: one process
        ({"TORCHELASTIC_RUN_ID": "a/b c"}, "torchrun-a_b_c"),
    ],
)
def test_launch_id(environment, name):
    assert launch_id(environment) == name


def test_processes_of_one_torchrun_agree():
    code = "from densecap.cli.run_folder import launch_id; print(launch_id({'TORCHELASTIC_RUN_ID': 'none'}))"
    names = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout for _ in range(2)}
    assert len(names) == 1
    assert f"-{os.getpid()}" in names.pop()


def test_runs_of_one_second_are_kept_apart(tmp_path):
    folders = set()
    for _ in range(3):
        run_folder._run_folder.cache_clear()
        folders.add(run_folder._run_folder(str(tmp_path), "train", True))
    assert len(folders) == 3
    assert {str(path) for path in (tmp_path / "train").iterdir()} == folders


def test_output_dir_is_known_only_to_a_running_command(monkeypatch):
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    config = compose("train")
    with pytest.raises((*COMPOSITION_ERRORS, ValueError)):
        _ = config.paths.output_dir
    assert compose("train", ["paths.output_dir=x"]).paths.output_dir == "x"
