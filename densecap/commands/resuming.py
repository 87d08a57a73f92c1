"""From which checkpoint a training command goes on: one that was named, or the newest whole one of its run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from densecap import checkpoint
from densecap.callbacks.checkpoints import LAST, PREVIOUS
from densecap.errors import UserError
from densecap.runs.status import FINISHED, config_hash, read_status


def checkpoint_to_resume(cfg: DictConfig, plain: dict[str, Any], folder: Path, console: Console) -> str | None:
    """The path that ``ckpt=`` or ``resume=`` asks for; None starts from the beginning.

    ``plain`` is the resolved config and ``folder`` the run's. Errors: UserError for contradictions, files that hold no
    run, and a folder whose run had another configuration.
    """
    if cfg.init and cfg.ckpt:
        raise UserError("ckpt= resumes a run and init= starts a new one from its weights; give one of them")
    if cfg.resume:
        if cfg.ckpt:
            raise UserError("resume= finds the checkpoint by itself; leave out ckpt=, or resume=")
        return _of_folder(plain, folder, console)
    return _named(cfg, console) if cfg.ckpt else None


def is_finished(cfg: DictConfig, folder: Path) -> bool:
    """Whether there is nothing left to do: ``resume=`` was given and the run of the folder came to its end."""
    status = read_status(folder) if cfg.resume else None
    return status is not None and status.state == FINISHED


def newest_whole(folder: Path, console: Console) -> Path | None:
    """The newest checkpoint in ``folder/checkpoints`` that can be read; those that were cut short are named.

    None when there is no checkpoint yet. Errors: UserError when there are some and none is whole.
    """
    found = [path for path in (folder / "checkpoints" / f"{name}.ckpt" for name in (LAST, PREVIOUS)) if path.exists()]
    problems = []
    for path in found:
        try:
            _check_holds_run(path)
        except UserError as error:
            problems.append(str(error))
            continue
        for problem in problems:
            console.print(f"{problem}; going on from the one before it, {path}", soft_wrap=True, markup=False)
        return path
    if problems:
        raise UserError(f"{'; '.join(problems)}: no checkpoint of {folder} can be read; start anew without resume=")
    return None


def _of_folder(plain: dict[str, Any], folder: Path, console: Console) -> str | None:
    status = read_status(folder)
    if status is not None and status.config_hash and status.config_hash != config_hash(plain):
        raise UserError(
            f"{folder} is the run of another configuration (its config.yaml says which): "
            "repeat that one's options, or begin a new run without resume="
        )
    path = newest_whole(folder, console)
    if path is not None:
        console.print(f"going on with {path}", soft_wrap=True, markup=False)
    elif status is not None:
        console.print(f"{folder} has no checkpoint yet: beginning it again", soft_wrap=True, markup=False)
    return None if path is None else str(path)


def _named(cfg: DictConfig, console: Console) -> str:
    if cfg.ckpt != LAST:
        _check_holds_run(Path(cfg.ckpt))
        return str(cfg.ckpt)
    newest = checkpoint.newest(cfg.paths.outputs, name=LAST)
    if newest is None:
        raise UserError(
            f"ckpt=last finds no checkpoints/last.ckpt under {cfg.paths.outputs}; train first, or give a path"
        )
    console.print(f"resuming {newest}")
    return str(newest)


def _check_holds_run(path: Path) -> None:
    if "optimizer_states" not in checkpoint.read(path):
        raise UserError(f"{path} holds a model but no run to go on with: start from its weights, init={path}")
