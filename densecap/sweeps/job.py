"""The side of the job: what one run of a sweep leaves behind, and that it ends when the sweep does."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from densecap.errors import UserError
from densecap.sweeps.failures import sentence
from densecap.sweeps.outcome import OBJECTIVE, OUTCOME, Outcome, write_outcome

log = logging.getLogger(__name__)

#: Set in a process that a sweep starts for one of its jobs, to the id of the process that started it.
MARK = "DENSECAP_SWEEP_JOB"
#: The status of a job that Ctrl-C ended; other signals that ask a run to stop give higher ones.
INTERRUPTED = 130
#: What is recorded of a job that was asked to stop.
STOPPED = "interrupted"
#: Hydra's own settings that belong to a sweep, not to one of its jobs.
OF_THE_SWEEP = ("hydra.mode", "hydra.sweep", "hydra.run", "hydra/sweeper", "hydra/launcher", "hydra.launcher")
#: prctl's PR_SET_PDEATHSIG.
_SIGNAL_WHEN_PARENT_DIES = 1


def run_job(command: Callable[[], int], folder: Path, overrides: Sequence[str], survive: bool) -> int:
    """Run ``command``, record how it ended in ``folder``, and return its exit status.

    With ``survive`` an exception becomes status 1 and a line in the log, so that the other jobs of this process are
    run. An interrupted job ends the sweep: KeyboardInterrupt.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (OUTCOME, OBJECTIVE):  # of an earlier job in the same folder
        (folder / name).unlink(missing_ok=True)
    started = time.time()

    def end(status: int, error: str | None = None) -> int:
        write_outcome(folder, Outcome(status, error, started, time.time(), list(overrides)))
        return status

    try:
        status = command()
    except KeyboardInterrupt:
        end(INTERRUPTED, STOPPED)
        raise
    except UserError as error:
        end(2, " ".join(str(error).split()))
        raise
    except Exception as error:
        end(1, sentence(error))
        if not survive:
            raise
        log.exception("this job has crashed; the sweep goes on")
        return 1
    if status >= INTERRUPTED:
        end(status, STOPPED)
        if survive:
            raise KeyboardInterrupt
        return status
    return end(status, None if status == 0 else f"it ended with status {status}")


def is_recorded(environment: Mapping[str, str]) -> bool:
    """Whether this process is the one of a job that records its outcome: it is no further rank of that job."""
    return MARK in environment and environment.get("LOCAL_RANK", "0") == "0"


def is_typed(environment: Mapping[str, str]) -> bool:
    """Whether somebody started this process, rather than a sweep or another rank."""
    return not {MARK, "LOCAL_RANK", "RANK", "SLURM_PROCID"} & set(environment)


def follow_parent(environment: Mapping[str, str]) -> None:
    """In a process of a sweep's job, and in its ranks: end when the process that started it has ended (Linux).

    Otherwise a trial would go on beside its own second try when the sweep has been killed.
    """
    if MARK not in environment or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_SIGNAL_WHEN_PARENT_DIES, signal.SIGKILL)
    if os.getppid() == 1:  # it has ended before this line
        os._exit(INTERRUPTED)
