"""The folder of one run: all its processes agree on it, no two runs share it.

The configuration says ``hydra.run.dir: ${run_folder:}`` and ``paths.output_dir: ${output_dir:}``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from itertools import count
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from densecap.commands.unfinished import AUTO, unfinished_folder
from densecap.errors import UserError


def register(claim: bool, resume: bool = False) -> None:
    """Make both resolvers known; with ``claim`` the run folder is made, so that nobody else can take its name.

    With ``resume`` the option of that name is followed: the folder may be that of an earlier run.
    """

    earlier: dict[str, str | None] = {}  # looked for once: the folder is then held

    def run_folder(*, _root_: DictConfig) -> str:
        command = str(OmegaConf.select(_root_, "hydra.job.config_name") or HydraConfig.get().job.config_name)
        if resume and claim and command not in earlier:
            earlier[command] = _earlier_folder(_root_, command)
        return earlier.get(command) or _run_folder(str(_root_.paths.outputs), command, claim)

    _run_folder.cache_clear()
    OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)
    OmegaConf.register_new_resolver("output_dir", output_dir, replace=True)


def register_again() -> None:
    """The same in a process that a launcher started for a job of a sweep, which has its folder already."""
    if not OmegaConf.has_resolver("output_dir"):
        register(claim=False)


def output_dir() -> str:
    """The folder of the running command; before it runs (``--cfg job --resolve``) the one it would get."""
    config = HydraConfig.get()
    if OmegaConf.is_missing(config.runtime, "output_dir"):
        return str(config.run.dir)
    return str(config.runtime.output_dir)


def _earlier_folder(root: DictConfig, command: str) -> str | None:
    """The folder of the run that ``resume=`` goes on with; None for a new one, or where the launch names it."""
    wanted = OmegaConf.select(root, "resume")
    if not wanted:
        return None
    if wanted != AUTO:
        if not (Path(wanted) / "checkpoints").is_dir():
            raise UserError(f"resume={wanted} is not the folder of a training run; give one, or resume=auto")
        return str(wanted)
    parent = Path(root.paths.outputs) / command
    folder = None if launch_id(os.environ) else unfinished_folder(parent, root)
    return None if folder is None else str(folder)


@cache
def _run_folder(outputs: str, command: str, claim: bool) -> str:
    parent = Path(outputs) / command
    name = launch_id(os.environ)
    if name is not None:
        return str(parent / name)
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for number in count(1):
        folder = parent / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            if claim:
                folder.mkdir(parents=True)
            break
        except FileExistsError:  # another run began in the same second
            continue
    return str(folder)


def launch_id(environment: Mapping[str, str]) -> str | None:
    """What the processes that srun or torchrun started have in common; None for a process started alone.

    They start by themselves, perhaps in different seconds, so a time stamp would give each its own folder. A job that
    SLURM starts again, and workers that torchrun restarts, keep their name. In an interactive SLURM shell every
    command is a run of its own.
    """
    job, step = environment.get("SLURM_JOB_ID"), environment.get("SLURM_STEP_ID")
    if job and step and environment.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        return f"slurm-{job}" if step == "0" else f"slurm-{job}-{step}"
    launch = environment.get("TORCHELASTIC_RUN_ID")
    if launch:
        return "torchrun-" + (_parent_start() if launch == "none" else re.sub(r"[^\w.-]", "_", launch))
    return None


def _parent_start() -> str:
    """When the process that started this one was started itself: torchrun without ``--rdzv-id`` names no launch."""
    parent = os.getppid()
    try:
        ticks = int(Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[19])
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
    except OSError:  # no /proc on this system
        return str(parent)
    start = int(boot.split()[1]) + ticks // os.sysconf("SC_CLK_TCK")
    return datetime.fromtimestamp(start).strftime("%Y-%m-%d_%H-%M-%S") + f"-{parent}"
