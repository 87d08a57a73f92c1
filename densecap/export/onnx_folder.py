"""``format=onnx``: a folder with three graphs, which need neither PyTorch nor this program to run.

model.onnx            a dense captioner's: ``image`` (3, H, W) uint8 RGB, resized so that its longest side is
                      ``image_size`` -> ``boxes`` (R, 4), ``logits`` (R,), ``features`` (R, F), best proposal first;
                      of whole images: ``squares`` (K, 3, S, S) uint8 -> ``features`` (K, F)
decoder_start.onnx    ``features`` (N, F) -> ``state.NAME`` ...
decoder_step.onnx     ``tokens`` (N,) int64, ``state.NAME`` ... -> ``scores`` (N, V + 1), ``next.NAME`` ...

Token 0 is END, V + 1 START, which is read first. ``proposal_nms_iou`` and ``max_proposals`` are inputs of model.onnx
that may be left out. What else is needed stands in its metadata under ``densecap``, as JSON: the words, the settings,
and the SHA-256 of the two other files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from densecap.checkpoint import LoadedModel
from densecap.errors import UserError
from densecap.export.comparison import compared
from densecap.export.description import description
from densecap.export.onnx_graphs import MAX_PROPOSALS, PROPOSAL_NMS_IOU, graph_of, import_onnx, open_settings
from densecap.export.onnx_graphs import with_metadata as put
from densecap.export.tracing import parts_of, traced
from densecap.models.dense_captioner import DenseCaptioner
from densecap.onnx_runtime.captioner import OnnxCaptioner
from densecap.onnx_runtime.files import DECODER_START, DECODER_STEP, KEY, MODEL, ONNX_VERSION

#: Bytes of one file at most: what a protocol buffer holds.
MAX_BYTES = (1 << 31) - (1 << 20)


def write(loaded: LoadedModel, folder: Path, origin: Mapping[str, Any]) -> None:
    """Write the graphs into a folder that is there. Errors: UserError for a model that has no graph, OSError."""
    import_onnx()
    parts = parts_of(loaded.model)
    graphs = {name: graph_of(part, traced(part)) for name, part in parts.items()}
    if isinstance(loaded.model, DenseCaptioner):
        detection = loaded.model.detection
        values = {PROPOSAL_NMS_IOU: detection.proposal_nms_iou, MAX_PROPOSALS: detection.max_proposals}
        open_settings(graphs["model"], values)
    digests = {}
    for name, file in (("decoder_start", DECODER_START), ("decoder_step", DECODER_STEP)):
        digests[file] = _save(graphs[name], folder / file)
    about = {"version": ONNX_VERSION} | description(loaded, origin) | {"files": digests}
    put(graphs["model"], {KEY: json.dumps(about, ensure_ascii=False)})
    _save(graphs["model"], folder / MODEL)


def check(loaded: LoadedModel, folder: Path, picture: Tensor) -> str:
    """Run the graphs on a (3, H, W) uint8 picture. Errors: UserError where they give other results than the model."""
    exported = OnnxCaptioner.load(folder)
    pixels = picture.numpy()
    regions = exported.caption_images([pixels])[0]
    return compared(loaded.model, picture, regions, exported.features(pixels, exported.detection), "the graph")


def _save(graph: Any, path: Path) -> str:
    """Write a graph; returns the SHA-256 of its file."""
    if graph.ByteSize() > MAX_BYTES:
        raise UserError(f"{path.name} would have {graph.ByteSize():,} bytes, more than one file of ONNX holds")
    data = graph.SerializeToString()
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
