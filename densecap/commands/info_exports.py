"""Models that were exported, as ``info`` describes them: without running anything, and no more of them read than that
needs."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from densecap.conversion.description import Description, describe_checkpoint, describe_weights
from densecap.errors import UserError
from densecap.export.torch_folder import ABOUT, ENDING
from densecap.model_folder.folder import read_description
from densecap.model_folder.layout import CONFIG, WEIGHTS, folder_of, is_graph, is_model_folder
from densecap.model_folder.tensors import read_header
from densecap.onnx_runtime.files import DECODER_START, DECODER_STEP, KEY, MODEL, check_about, model_file

#: Bytes of the description in a program at most.
MAX_ABOUT = 1 << 26


def suits_safetensors(path: Path) -> bool:
    return is_model_folder(path) or path.suffix.lower() == ".safetensors"


def suits_onnx(path: Path) -> bool:
    return is_graph(path)


def suits_program(path: Path) -> bool:
    return path.suffix.lower() == ENDING or (path / f"model{ENDING}").is_file()


def describe_safetensors(path: Path) -> Description:
    """A model's folder, or a file of tensors. Errors: UserError when it is damaged."""
    folder = folder_of(path)
    file = folder / WEIGHTS if is_model_folder(folder) else path
    tensors = {name: torch.empty(shape, device="meta") for name, shape in read_header(file).items()}
    if file.name != WEIGHTS or not (folder / CONFIG).is_file():
        return describe_weights(tensors)
    own = read_description(folder)
    content = {"state_dict": tensors, "densecap": own}
    made = describe_checkpoint(content)
    return _with_known(made, own, f"a folder of safetensors, format {own['version']}")


def describe_onnx(path: Path) -> Description:
    """Graphs that were exported here, or any graph. Errors: UserError when one is damaged, or onnx is not installed."""
    file = model_file(path)
    graph = _read_graph(file)
    properties = {item.key: item.value for item in graph.metadata_props}
    inputs = {item.name: _shape(item) for item in (*graph.graph.input, *graph.graph.output)}
    if KEY not in properties:
        total = {"all parameters": _parameters(graph)}
        return Description("a graph in ONNX, not of densecap", {"parts": total, "inputs and outputs": inputs})
    about = check_about(properties[KEY], file)
    parts: dict[str, int | str] = {MODEL: _parameters(graph)}
    for name in (DECODER_START, DECODER_STEP):
        other = file.with_name(name)
        parts[name] = _parameters(_read_graph(other)) if other.is_file() else "missing: the folder is not complete"
    return _described(about, parts, {"inputs and outputs": inputs}, f"graphs in ONNX, format {about['version']}")


def describe_program(path: Path) -> Description:
    """A program of torch.export, by the files in its archive. Errors: UserError when it is damaged."""
    file = path / f"model{ENDING}" if path.is_dir() else path
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            sizes = sum(item.file_size for item in archive.infolist() if "/data/weights/" in item.filename)
            place = next((name for name in names if name.endswith(f"/{ABOUT}") or name == ABOUT), None)
            if place is not None and archive.getinfo(place).file_size > MAX_ABOUT:
                raise UserError(f"{file} has a description of more than {MAX_ABOUT} bytes: it is not read")
            text = None if place is None else archive.read(place)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{file} cannot be read as a program of torch.export ({error}); is it complete?") from error
    rows = {"bytes of tensors": sizes, "files in the archive": len(names)}
    if text is None:
        return Description("a program of torch.export, not of densecap", {"parts": rows})
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} has a damaged description: it is no JSON") from error
    if not isinstance(about, dict) or not isinstance(about.get("words"), list):
        raise UserError(f"{file} has a damaged description")
    return _described(about, rows, {}, "programs of torch.export")


def _described(
    about: Mapping[str, Any], parts: dict[str, Any], more: dict[str, dict[str, Any]], what: str
) -> Description:
    own = {"config": about.get("config") or {}, "words": about["words"], "data_name": about.get("data_name") or ""}
    made = _with_known(describe_checkpoint({"densecap": own}), about, what)
    made.sections = {"parts": parts} | {key: value for key, value in made.sections.items() if key != "parts"} | more
    return made


def _with_known(made: Description, own: Mapping[str, Any], what: str) -> Description:
    """The description with what a folder says of training, source and figures, and ``what`` it is."""
    kind = f"{made.kind.partition(' (')[0]} ({what})"
    sections = dict(made.sections)
    if own.get("training"):
        sections["training"] = sections.get("training", {}) | dict(own["training"])
    if own.get("licence"):
        sections["source"] = sections.get("source", {}) | {"licence": own["licence"]}
    if isinstance(own.get("source"), Mapping):
        sections["source"] = dict(own["source"]) | sections.get("source", {})
    figures = dict(own.get("figures") or {})
    for report in own.get("reports") or []:
        where = f"{report['data']} {report['split']}"
        figures |= {f"{where}: {name}": value for name, value in report["figures"].items()}
    if figures:
        sections["figures"] = sections.get("figures", {}) | figures
    return Description(kind, sections)


def _read_graph(path: Path) -> Any:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise UserError("info of a model in ONNX needs the package onnx: pip install 'densecap[onnx]'") from error
    try:
        return onnx.load(str(path), load_external_data=False)
    except (DecodeError, OSError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        raise UserError(f"{path} cannot be read as ONNX ({reason}); is it complete?") from error


def _parameters(graph: Any) -> int:
    total = 0
    for item in graph.graph.initializer:
        size = 1
        for side in item.dims:
            size *= side
        total += size
    return total


def _shape(item: Any) -> str:
    sides = [side.dim_param or str(side.dim_value) for side in item.type.tensor_type.shape.dim]
    return " x ".join(sides) or "a number"
