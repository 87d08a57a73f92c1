"""The graphs of a model in its folder (``densecap.export.onnx_folder``), opened with onnxruntime."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from densecap.errors import UserError

MODEL, DECODER_START, DECODER_STEP = "model.onnx", "decoder_start.onnx", "decoder_step.onnx"

#: Where the description stands in the metadata of model.onnx, and its version.
KEY, ONNX_VERSION = "densecap", 1

#: What a description must have, and as what.
FIELDS: dict[str, type | tuple[type, ...]] = {
    "kind": str,
    "words": list,
    "image_size": int,
    "resize_filter": str,
    "views": dict,
    "detection": dict,
    "generation": dict,
    "files": dict,
}


@dataclass(frozen=True)
class Graphs:
    """``model``, ``start`` and ``step`` are sessions of onnxruntime; ``about`` the description in the first."""

    path: Path
    model: Any
    start: Any
    step: Any
    about: dict[str, Any]


def model_file(path: Path) -> Path:
    """model.onnx of a folder, or the file itself."""
    return path / MODEL if path.is_dir() else path


def open_graphs(path: Path, threads: int | None = None) -> Graphs:
    """The graphs of a folder or beside a model.onnx. Errors: UserError when one is missing, damaged or not ours."""
    file = model_file(path)
    model = open_session(file, threads)
    about = read_about(model, file)
    for name in (DECODER_START, DECODER_STEP):
        _check_digest(file.with_name(name), about["files"].get(name), file)
    start, step = (open_session(file.with_name(name), threads) for name in (DECODER_START, DECODER_STEP))
    return Graphs(file, model, start, step, about)


def open_session(path: Path, threads: int | None = None) -> Any:
    """Errors: UserError when the file is missing or no graph that can be run here."""
    runtime = import_runtime()
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # its errors are raised
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    try:
        return runtime.InferenceSession(str(path), options, providers=runtime.get_available_providers()[-1:])
    except Exception as error:  # onnxruntime has classes of errors without a common one
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise UserError(f"{path} cannot be opened as ONNX ({reason}); is it complete?") from error


def import_runtime() -> ModuleType:
    """onnxruntime; errors: UserError when it is not installed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError("a model in ONNX needs the package onnxruntime: pip install onnxruntime") from error
    return onnxruntime


def read_about(session: Any, path: Path) -> dict[str, Any]:
    """The description in a graph's metadata; errors: UserError when there is none, or one of a newer version."""
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    if text is None:
        others = f", as its {MODEL} is" if path.name in (DECODER_START, DECODER_STEP) else ""
        raise UserError(f"{path} is no model that densecap exported{others}")
    return check_about(text, path)


def check_about(text: str, path: Path) -> dict[str, Any]:
    """The description from its JSON; errors: UserError."""
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} has a damaged description: it is no JSON") from error
    version = about.get("version") if isinstance(about, dict) else None
    if isinstance(version, int) and version > ONNX_VERSION:
        raise UserError(f"{path} was written by a newer densecap (format {version}); update this one")
    wrong = [name for name, kind in FIELDS.items() if version is None or not isinstance(about.get(name), kind)]
    if wrong or not all(isinstance(word, str) for word in about["words"]):
        raise UserError(f"{path} has a damaged description: {', '.join(wrong) or 'words'} is missing or no such thing")
    return about


def _check_digest(path: Path, wanted: Any, model: Path) -> None:
    if not path.is_file():
        raise UserError(f"{model} needs {path.name} beside it: keep the files of an exported folder together")
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != wanted:
            raise UserError(f"{path} is not the one that was exported with {model.name}: copy the folder again")
