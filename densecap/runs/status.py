"""``status.json`` of a run folder: whether the run is going on, how it ended, and what it is a run of.

Written by the training process when it starts, every half a minute while it works, and when it ends. A process that
was killed leaves "running" behind: ``RunStatus.alive`` tells that from a run that goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

#: The file in the run folder.
NAME = "status.json"

RUNNING, FINISHED, FAILED, INTERRUPTED = "running", "finished", "failed", "interrupted"
STATES = (RUNNING, FINISHED, FAILED, INTERRUPTED)

#: Seconds without a word after which a run on another machine counts as killed; on this one its process is looked for.
SILENCE = 900.0

#: Keys of the configuration that do not change what is trained.
IRRELEVANT = ("paths", "ckpt", "resume", "choices", "hydra")


@dataclass(frozen=True)
class RunStatus:
    """``started``, ``updated`` and ``ended`` are times in UTC, ISO 8601; ``reason`` says why a run failed.

    ``config_hash`` is that of ``config_hash(config)``. ``process_start`` tells the process from a later one of the
    same ``pid``. ``job_id`` is SLURM's. ``attempts`` counts how often the run was started, resumes included.
    """

    state: str
    config_hash: str = ""
    pid: int = 0
    process_start: str = ""
    host: str = ""
    job_id: str | None = None
    started: str = ""
    updated: str = ""
    ended: str | None = None
    epoch: int = 0
    step: int = 0
    reason: str | None = None
    attempts: int = 1
    best: dict[str, float] = field(default_factory=dict)

    @classmethod
    def begin(cls, config: Mapping[str, Any], before: RunStatus | None = None) -> RunStatus:
        """The status of a run that this process starts, or goes on with where ``before`` left off."""
        now = _now()
        started, attempts = (before.started, before.attempts + 1) if before is not None else (now, 1)
        return cls(
            state=RUNNING,
            config_hash=config_hash(config),
            pid=os.getpid(),
            process_start=process_start(os.getpid()),
            host=socket.gethostname(),
            job_id=os.environ.get("SLURM_JOB_ID"),
            started=started,
            updated=now,
            attempts=attempts,
            epoch=before.epoch if before else 0,
            step=before.step if before else 0,
            best=dict(before.best) if before else {},
        )

    def at(self, epoch: int, step: int, best: Mapping[str, float] | None = None) -> RunStatus:
        """A sign of life: so many whole epochs and optimiser steps are done."""
        return replace(self, updated=_now(), epoch=epoch, step=step, best=self.best if best is None else dict(best))

    def end(self, state: str, reason: str | None = None) -> RunStatus:
        """``state`` is finished, failed or interrupted."""
        now = _now()
        return replace(self, state=state, reason=reason, updated=now, ended=now)

    def write(self, folder: Path) -> None:
        """Under a temporary name first."""
        temporary = folder / f".{NAME}.{os.getpid()}.tmp"
        temporary.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        temporary.replace(folder / NAME)

    def alive(self, now: datetime | None = None) -> bool:
        """Whether the run goes on: its process exists, or, on another machine, was heard of lately."""
        if self.state != RUNNING:
            return False
        if self.host == socket.gethostname():
            return bool(self.process_start) and process_start(self.pid) == self.process_start
        silence = (now or datetime.now(UTC)) - datetime.fromisoformat(self.updated)
        return silence.total_seconds() < SILENCE

    @property
    def unfinished(self) -> bool:
        """Whether there is something to go on with: neither finished nor going on now."""
        return self.state != FINISHED and not self.alive()


def read_status(folder: Path) -> RunStatus | None:
    """The status in a run folder; None where there is none, or none that can be read."""
    try:
        content = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("state") not in STATES:
        return None
    known = {item.name for item in fields(RunStatus)}
    return RunStatus(**{name: value for name, value in content.items() if name in known})


def config_hash(config: Mapping[str, Any]) -> str:
    """A short text that differs where resolved configurations do, apart from where files are read and written.

    The run folder, ``paths.output_dir``, counts for nothing wherever it stands, and neither do the keys that say from
    which checkpoint to go on: so a command that is typed again has the hash of the run it started before.
    """
    plain = {key: value for key, value in without_folder(config).items() if key not in IRRELEVANT}
    return hashlib.blake2b(json.dumps(plain, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()


def without_folder(config: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved configuration in which RUN stands for its run folder, so that two runs of one command are equal."""
    folder = str((config.get("paths") or {}).get("output_dir") or "")

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return value.replace(folder, "RUN") if folder and isinstance(value, str) else value

    return {str(key): plain(value) for key, value in config.items()}


def process_start(pid: int) -> str:
    """What tells a process from all others that ever had its number on this machine; empty when it does not exist."""
    try:
        state, ticks = _proc_stat(pid)
        return "" if state in "ZX" else ticks
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return ""
    except OSError:
        return ""
    try:  # no /proc on this system
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "unknown"


def _proc_stat(pid: int) -> tuple[str, str]:
    """State letter and start, in clock ticks since the machine's, of a process."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return words[0], words[19]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
