"""``export``: write a trained model as safetensors, ONNX or torch.export, and compare the result with the model."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from densecap.checkpoint import LoadedModel
from densecap.commands.trained_model import load_model
from densecap.errors import UserError
from densecap.evaluation.report_files import find_reports, read_report
from densecap.export.pictures import picture_for
from densecap.export.reports import figures_of
from densecap.export.table import Format, find_format
from densecap.model_folder.hub import is_hub_name, push

console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def run(cfg: DictConfig) -> int:
    """Write ``cfg.output``; exit status 0."""
    chosen = find_format(str(cfg.format))
    push_to = check_push(cfg, chosen)
    reports = [figures_of(read_report(path)) for path in find_reports(_texts(cfg.report))]
    picture = picture_for(None if cfg.picture is None else Path(str(cfg.picture)).expanduser())
    loaded = load_model(cfg, console)
    output = output_folder(cfg.output, loaded.path, chosen)
    said = write(chosen, loaded, output, origin(loaded, reports, cfg.licence), picture)
    console.print(f"written to {output}: {', '.join(sorted(path.name for path in output.iterdir()))}")
    console.print(said)
    console.print(f"use it with: python -m densecap {chosen.use.replace('FOLDER', str(output))}")
    if push_to:
        console.print(f"pushed to {push(output, push_to, 'Upload a model of densecap', None, None)}")
    return 0


def _texts(given: Any) -> list[str]:
    return [] if given is None else [given] if isinstance(given, str) else [str(item) for item in given]


def check_push(cfg: DictConfig, chosen: Format) -> str | None:
    """Errors: UserError for a name that is none, or a format that the hub's commands do not read."""
    name = None if cfg.push_to is None else str(cfg.push_to)
    if name is not None and chosen.name != "safetensors":
        raise UserError(f"push_to={name} goes with format=safetensors, which ckpt=hf://{name} reads")
    if name is not None and not is_hub_name(name):
        raise UserError(f"push_to={name} should be organisation/name, as models are called on the hub")
    return name


def output_folder(given: Any, checkpoint: Path, chosen: Format) -> Path:
    """Where the model goes; errors: UserError when something else is there."""
    beside = checkpoint.parent if checkpoint.name == "model.safetensors" else checkpoint
    folder = beside.with_name(f"{beside.stem}_{chosen.name}") if given is None else Path(str(given)).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already: give another output=FOLDER, or remove it")
    return folder


def origin(loaded: LoadedModel, reports: list[dict[str, Any]], licence: Any) -> dict[str, Any]:
    """What is known of the model, with the file it was exported from."""
    known = dict(loaded.model.origin or {"config": loaded.config, "data_name": loaded.data_name})
    with loaded.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    known["source"] = dict(known.get("source") or {}) | {"exported from": loaded.path.name, "its SHA-256": digest}
    known["reports"] = [*known.get("reports", []), *reports]
    return known | ({"licence": str(licence)} if licence else {})


def write(chosen: Format, loaded: LoadedModel, output: Path, known: dict[str, Any], picture: Any) -> str:
    """Write and compare in a folder beside, which takes its name when all is well. Errors: UserError."""
    temporary = output.with_name(f".{output.name}.tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        chosen.write(loaded, temporary, known)
        said = chosen.check(loaded, temporary, picture)
        if output.is_dir():
            output.rmdir()
        temporary.replace(output)
    except OSError as error:
        raise UserError(f"cannot write to {output}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(temporary, ignore_errors=True)
    return said
