"""``preprocess``: make the one HDF5 file of a data set that training reads; ``train`` does it when it is missing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from densecap.builder import build
from densecap.data.folder_lock import folder_lock
from densecap.data.preparation import build_region_file
from densecap.data.prepared import PreparationOptions
from densecap.data.provenance import reason_to_rebuild, recorded_root
from densecap.data.reader import Reader
from densecap.data.report_table import show_report
from densecap.errors import UserError

#: Arguments of readers that say where the files are; what is in them is compared instead.
LOCATIONS = ("_target_", "root", "splits", "table", "images", "train_list", "test_list")


def run(cfg: DictConfig) -> None:
    """Prepare ``cfg.data`` unless that is done; ``cfg.num_workers`` and ``cfg.overwrite`` as in ``prepare``."""
    prepare(cfg.data, cfg.num_workers, cfg.overwrite)


def prepare(
    data: DictConfig | Mapping[str, Any],
    num_workers: int | None = None,
    overwrite: bool = False,
    console: Console | None = None,
) -> Path:
    """Make the file ``data.file`` unless it is there and is what the options and annotations give; returns its path.

    ``num_workers`` threads, None for one a core. ``overwrite`` makes it anew in any case. Of several processes that
    ask for files of one folder at the same time one works and the others wait. UserError for a data set that is not
    there or leaves nothing to train on.
    """
    plain = plain_data(data)
    console = console or Console(stderr=True)
    file, options = Path(plain["file"]).expanduser(), _options(plain)
    if not overwrite and _is_ready(file, plain, options):
        console.print(
            f"{file} is complete and made with these options (preprocess overwrite=true makes it anew)",
            highlight=False,
            soft_wrap=True,
        )
        return file
    file.parent.mkdir(parents=True, exist_ok=True)
    waiting = f"waiting for another process that prepares data in {file.parent}"
    with folder_lock(file.parent, lambda: console.print(waiting, highlight=False, soft_wrap=True)):
        reader: Reader = build(plain["reader"])
        if file.exists():
            reason = "overwrite=true" if overwrite else reason_to_rebuild(file, options.to_json(), reader.sources)
            if reason is None:  # another process made it while this one waited
                return file
            console.print(f"{file} is made anew: {reason}", highlight=False, soft_wrap=True)
        report = build_region_file(reader, options, file, num_workers or _num_cores(), console)
    show_report(report, console)
    console.print(
        f"written to {file}, the report to {file.name}.report.json beside it", highlight=False, soft_wrap=True
    )
    return file


def _is_ready(file: Path, plain: dict[str, Any], options: PreparationOptions) -> bool:
    """Whether the file needs nothing; one that travelled without its data set is compared by its options alone."""
    if not file.exists():
        return False
    root = Path(plain["reader"]["root"]).expanduser()
    if root.is_dir():
        return reason_to_rebuild(file, options.to_json(), build(plain["reader"]).sources) is None
    try:
        return recorded_root(file).name == root.name and reason_to_rebuild(file, options.to_json(), None) is None
    except UserError:
        return False


def _options(plain: dict[str, Any]) -> PreparationOptions:
    reader = {"class": plain["reader"]["_target_"].rpartition(".")[2]}
    reader |= {name: value for name, value in plain["reader"].items() if name not in LOCATIONS}
    return PreparationOptions(
        name=str(plain["name"]),
        image_size=plain["image_size"],
        min_token_count=plain["min_token_count"],
        max_tokens=plain["max_tokens"],
        vocabulary_splits=tuple(plain["vocabulary_splits"]),
        reader=reader,
    )


def plain_data(data: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """The node ``data`` as plain values. Errors: UserError when one that has to be given is missing."""
    if not isinstance(data, DictConfig):
        return dict(data)
    missing = [f"data.{name!s}" for name in data if OmegaConf.is_missing(data, name)]
    if missing:
        raise UserError(f"{missing[0]} has to be given: add {missing[0]}=...")
    plain: dict[str, Any] = OmegaConf.to_container(data, resolve=True)  # type: ignore[assignment]
    return plain


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
