"""Which run folder a command that is typed again goes on in.

The command line asks this before anything slow is imported, so nothing here may need torch.
"""

from __future__ import annotations

import os
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from densecap.runs.status import config_hash, read_status

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: ``resume=auto`` looks for the run itself; any other value is the folder of one.
AUTO = "auto"

#: Stands for the run folder while that is still being looked for.
_FOLDER = "\x00the run folder"

#: Open descriptors of the folders that this process goes on in: the system lets go of them when it ends.
_held: list[int] = []


def unfinished_folder(parent: Path, config: DictConfig) -> Path | None:
    """The newest folder in ``parent`` whose run has the configuration ``config``, did not finish and is not going on.

    It is then kept from other processes that look for one at the same time. None where there is no such run.
    """
    wanted = hash_of(config)
    candidates = [path for path in parent.iterdir() if path.is_dir()] if parent.is_dir() else []
    for folder in sorted(candidates, key=_age):
        status = read_status(folder)
        if status is not None and status.config_hash == wanted and status.unfinished and _hold(folder):
            return folder
    return None


def _age(folder: Path) -> tuple[float, str]:
    """Sorts the newest first, by the last word of its run."""
    status = folder / "status.json"
    return (-status.stat().st_mtime if status.is_file() else 0.0, folder.name)


def hash_of(config: DictConfig) -> str:
    """``config_hash`` of a configuration whose run folder is not known yet; Hydra's own part counts for nothing."""
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    plain.pop("hydra", None)
    plain["paths"] = {**plain["paths"], "output_dir": _FOLDER}
    resolved = OmegaConf.to_container(OmegaConf.create(plain), resolve=True)
    return config_hash(resolved)  # type: ignore[arg-type]


def _hold(folder: Path) -> bool:
    """Whether no other process holds the folder; until it ends this one does. True where folders have no locks."""
    if fcntl is None:
        return True
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    except OSError:  # a file system without locks
        pass
    _held.append(descriptor)
    return True
