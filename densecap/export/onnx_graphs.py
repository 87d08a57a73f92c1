"""From a traced part to an ONNX graph: without traces of the machine it was made on, its settings open to change."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram

from densecap.errors import UserError
from densecap.export.tracing import Part

#: Inputs of a detector's graph that may be left out; then they are as they were when it was made.
PROPOSAL_NMS_IOU, MAX_PROPOSALS = "proposal_nms_iou", "max_proposals"


def import_onnx() -> ModuleType:
    """The package onnx; errors: UserError when it or onnxscript, which PyTorch's exporter needs, is not installed."""
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(
            "format=onnx needs the packages onnx, onnxscript and onnxruntime: pip install 'densecap[onnx]'"
        ) from error
    return onnx


def graph_of(part: Part, program: ExportedProgram) -> Any:
    """The ``onnx.ModelProto``. Errors: UserError where the exporter gives up."""
    onnx = import_onnx()
    try:
        with _quiet():
            made = torch.onnx.export(
                program,
                dynamo=True,
                input_names=list(part.inputs),
                output_names=list(part.outputs),
                custom_translation_table={torch.ops.torchvision.nms.default: _suppression()},
                verbose=False,
            )
        graph = made.model_proto  # type: ignore[union-attr]
    except Exception as error:  # the exporter raises nearly anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
        raise UserError(f"this model cannot be written as ONNX by this version of PyTorch: {reason}") from error
    _name_sides(part, graph)
    return _cleaned(onnx, graph)


def _name_sides(part: Part, graph: Any) -> None:
    """Give the open sides of inputs and outputs their names in place of the tracer's."""
    names: dict[str, str] = {}
    for item, sides in zip(graph.graph.input, part.open_sides):
        for axis, name in sides.items():
            names[item.type.tensor_type.shape.dim[axis].dim_param] = name
    for item in (*graph.graph.input, *graph.graph.output):
        for side in item.type.tensor_type.shape.dim:
            if side.dim_param:
                side.dim_param = names.get(side.dim_param, "regions")
    del graph.graph.value_info[:]


def open_settings(graph: Any, values: Mapping[str, float | int]) -> None:
    """Make the constants of the one suppression inside optional inputs of the graph."""
    onnx = import_onnx()
    (node,) = [node for node in graph.graph.node if node.op_type == "NonMaxSuppression"]
    kinds = {MAX_PROPOSALS: (2, np.int64), PROPOSAL_NMS_IOU: (3, np.float32)}
    for name, (place, kind) in kinds.items():
        node.input[place] = name
        array = np.array([values[name]], kind)
        graph.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
        element = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        graph.graph.input.append(onnx.helper.make_tensor_value_info(name, element, [1]))
    used = {name for node in graph.graph.node for name in node.input}
    for item in [item for item in graph.graph.initializer if item.name not in used]:
        graph.graph.initializer.remove(item)


def with_metadata(graph: Any, properties: Mapping[str, str]) -> None:
    for key, value in properties.items():
        graph.metadata_props.add(key=key, value=value)


def _suppression() -> Any:
    op: Any = import_module("onnxscript").opset18

    def translate(boxes: Any, scores: Any, iou_threshold: float) -> Any:
        most = op.Constant(value_ints=[np.iinfo(np.int64).max])
        threshold = op.Constant(value_floats=[iou_threshold])
        scores = op.Unsqueeze(op.Unsqueeze(scores, [0]), [0])
        kept = op.NonMaxSuppression(op.Unsqueeze(boxes, [0]), scores, most, threshold)  # (R, 3): batch, class, box
        return op.Reshape(op.Slice(kept, [2], [3], [1]), [-1])

    return translate


def _cleaned(onnx: ModuleType, graph: Any) -> Any:
    """Without the places in source files that the exporter notes at every node."""
    for item in (*graph.graph.node, *graph.graph.initializer, *graph.graph.value_info):
        del item.metadata_props[:]
        item.doc_string = ""
    for item in (*graph.graph.input, *graph.graph.output):
        del item.metadata_props[:]
    for function in graph.functions:
        del function.metadata_props[:]
        for node in function.node:
            del node.metadata_props[:]
    del graph.graph.metadata_props[:]
    del graph.metadata_props[:]
    graph.producer_name, graph.doc_string, graph.graph.doc_string = "densecap", "", ""
    return graph


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter tells of its progress and of its own future; its errors are raised anyway."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
