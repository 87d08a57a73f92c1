"""A model's parts traced with sizes left open: for torch.export and, from it, for ONNX."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from densecap.errors import UserError
from densecap.export.graphs import Detector, Encoder, Start, Step
from densecap.export.plain_layers import with_plain_layers
from densecap.models.captioner import Captioner
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.views import sizes_of


@dataclass(frozen=True)
class Part:
    """A part to be traced: ``example`` inputs, and which of their dimensions stay open (by name) at each."""

    module: nn.Module
    example: tuple[Tensor, ...]
    open_sides: tuple[Mapping[int, str], ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(self.module.inputs)  # type: ignore[arg-type]

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self.module.outputs)  # type: ignore[arg-type]


def parts_of(model: Captioner, limited: bool = False) -> dict[str, Part]:
    """``model`` (pixels to features), ``decoder_start`` and ``decoder_step``; ``limited``: with the model's own number
    of proposals inside. Errors: UserError for a model that looks at images in several sizes."""
    plain = with_plain_layers(model)
    start = Start(plain)
    features = torch.zeros(3, plain.decoder.feature_dim)
    with torch.no_grad():
        state = start(features)
    step = Step(plain, start.names)
    tokens = torch.full((3,), plain.vocabulary.start)
    sides: list[Mapping[int, str]] = [{0: "sequences"} for _ in state]
    if "keys" in start.names:  # a transformer's past grows
        sides = [{0: "sequences", 3: "past"} for _ in state]
        state = step(tokens, *step(tokens, *state)[1:])[1:]
    return {
        "model": _first_part(plain, limited),
        "decoder_start": Part(start, (features,), ({0: "sequences"},)),
        "decoder_step": Part(step, (tokens, *state), ({0: "sequences"}, *sides)),
    }


def _first_part(model: Captioner, limited: bool) -> Part:
    if isinstance(model, DenseCaptioner):
        height, width = (model.image_size * 3 // 4) + 3, model.image_size
        image = torch.randint(256, (3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        return Part(Detector(model, model.detection, limited), (image,), ({1: "height", 2: "width"},))
    if not model.needs_pixels:
        raise UserError(
            "a model of precomputed features sees no pixels: export the checkpoint, which knows its backbone"
        )
    sizes = sizes_of(model.input_size)
    if len(sizes) > 1:
        raise UserError(f"this model looks at images in {len(sizes)} sizes ({sizes}), of which a graph takes one")
    squares = torch.zeros(2, 3, sizes[0], sizes[0], dtype=torch.uint8)
    return Part(Encoder(model), (squares,), ({0: "squares"},))


def traced(part: Part) -> ExportedProgram:
    """The part with its open sides open. Errors: UserError where the tracer gives up."""
    sides: Any = tuple({axis: Dim.DYNAMIC for axis in own} for own in part.open_sides)
    if isinstance(part.module, Step):
        sides = (sides[0], sides[1:])
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(part.module, part.example, dynamic_shapes=sides, strict=False)
    except Exception as error:  # the tracer raises nearly anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        name = type(part.module).__name__
        raise UserError(f"this model's {name} cannot be traced by this version of PyTorch: {reason}") from error
    for node in program.graph.nodes:  # places in files of this machine
        node.meta.pop("stack_trace", None)
    return program
