"""A launcher for Hydra that gives each job a process of its own: ``hydra/launcher=process``.

What ends a process, such as the system when memory runs out, then ends one job; nothing of a crash stays on the GPU;
and a job of several ranks starts them as it would alone. Several jobs may run at once, each on devices of its own.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.utils import JobReturn, JobStatus, configure_log, filter_overrides, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

import densecap
from densecap.sweeps.failures import of_process
from densecap.sweeps.job import INTERRUPTED, MARK, OF_THE_SWEEP
from densecap.sweeps.outcome import OUTCOME, Outcome, read_outcome, write_outcome

log = logging.getLogger(__name__)

#: Seconds between looks at whether a job has ended.
PAUSE = 0.2


class ProcessLauncher(Launcher):
    """Runs ``n_jobs`` jobs at once; of ``devices`` each sees ``devices_per_job``, by CUDA_VISIBLE_DEVICES."""

    def __init__(self, n_jobs: int = 1, devices: Sequence[int] | None = None, devices_per_job: int = 1) -> None:
        self.n_jobs, self.devices_per_job = max(int(n_jobs), 1), max(int(devices_per_job), 1)
        self.devices = [str(device) for device in devices or ()]
        if self.devices:
            self.n_jobs = min(self.n_jobs, max(len(self.devices) // self.devices_per_job, 1))

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Errors: KeyboardInterrupt when a job was interrupted, after the others have ended, too."""
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        jobs = [Job(self, list(own), initial_job_idx + place) for place, own in enumerate(job_overrides)]
        try:
            self._run_all(jobs)
        finally:
            for job in jobs:
                job.stop()
        if any(job.was_stopped for job in jobs):
            raise KeyboardInterrupt
        return [job.result() for job in jobs]

    def _run_all(self, jobs: Sequence[Job]) -> None:
        waiting, running = list(jobs), dict[int, Job]()
        while waiting or running:
            for slot in range(self.n_jobs):
                if slot in running and running[slot].has_ended() and running.pop(slot).was_stopped:
                    waiting.clear()
                if slot not in running and waiting:
                    running[slot] = waiting.pop(0)
                    running[slot].start(self._devices_of(slot))
            time.sleep(PAUSE)

    def _devices_of(self, slot: int) -> str | None:
        own = self.devices[slot * self.devices_per_job : (slot + 1) * self.devices_per_job]
        return ",".join(own) or None


class Job:
    """One job: its folder, its command line, and its process once it has been started."""

    def __init__(self, launcher: ProcessLauncher, overrides: list[str], number: int) -> None:
        self.overrides, self.number = overrides, number
        loader = launcher.hydra_context.config_loader
        self.config = loader.load_sweep_config(launcher.config, overrides)
        with open_dict(self.config):
            self.config.hydra.job.id = self.config.hydra.job.num = number
        sweep = self.config.hydra.sweep
        self.folder = (Path(str(sweep.dir)) / str(sweep.subdir)).resolve()
        self.process: subprocess.Popen[bytes] | None = None
        self.status: int | None = None

    @property
    def arguments(self) -> list[str]:
        """The command line of this job alone."""
        kept = [text for text in self.config.hydra.overrides.hydra if not text.lstrip("+~").startswith(OF_THE_SWEEP)]
        folder = QuotedString(str(self.folder), Quote.single).with_quotes()
        command = str(self.config.hydra.job.config_name)
        own = [*self.config.hydra.overrides.task, *kept, f"hydra.run.dir={folder}", f"hydra.job.num={self.number}"]
        return [sys.executable, "-m", "densecap", command, *own]

    def start(self, devices: str | None) -> None:
        log.info("\t#%s : %s", self.number, " ".join(filter_overrides(self.overrides)))
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / OUTCOME).unlink(missing_ok=True)
        package = str(Path(densecap.__file__).resolve().parents[1])
        path = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, MARK: str(os.getpid()), "PYTHONPATH": path}
        if devices is not None:
            environment["CUDA_VISIBLE_DEVICES"] = devices
        self.started = time.time()
        self.process = subprocess.Popen(self.arguments, env=environment, process_group=0)

    @property
    def was_stopped(self) -> bool:
        return self.status is not None and self.status >= INTERRUPTED

    def has_ended(self) -> bool:
        """Whether it has; then its outcome is there, written here where the process could not."""
        if self.process is None or self.process.poll() is None:
            return False
        if self.status is None:
            outcome = read_outcome(self.folder)
            if outcome is None:
                code = self.process.returncode
                task = list(self.config.hydra.overrides.task)
                outcome = Outcome(code if code > 0 else 1, of_process(code), self.started, time.time(), task)
                write_outcome(self.folder, outcome)
            self.status = outcome.status
        return True

    def stop(self) -> None:
        """Pass Ctrl-C on to a process that still runs, once, and wait until it has saved its state."""
        if self.process is None or self.has_ended():
            return
        os.killpg(self.process.pid, signal.SIGINT)
        while not self.has_ended():
            try:
                self.process.wait()
            except KeyboardInterrupt:  # asked again
                os.killpg(self.process.pid, signal.SIGKILL)

    def result(self) -> JobReturn:
        """What Hydra's own launchers return; the exit status is the value."""
        before = HydraConfig.instance().cfg
        HydraConfig.instance().set_config(self.config)
        result = JobReturn()
        result.overrides = OmegaConf.to_container(ListConfig(self.config.hydra.overrides.task))  # type: ignore[assignment]
        result.working_dir = str(self.folder)
        result.return_value, result.status = self.status, JobStatus.COMPLETED
        HydraConfig.instance().cfg = before
        return result
