"""``format=torch_export``: a folder with the three programs of ``torch.export``, which run without this program's code.

They are the graphs of ``densecap.export.onnx_folder`` under the same names, ending in .pt2: ``torch.export.load(FILE)``
gives a program whose ``module()`` is called with the inputs in their order. The best ``detection.max_proposals``
proposals are taken. What else is needed stands in model.pt2 as the extra file ``densecap.json``. These are programs:
load none from somebody whom you would not let run one. ``info`` does not load them.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from densecap.checkpoint import LoadedModel
from densecap.errors import UserError
from densecap.export.description import description
from densecap.export.tracing import Part, parts_of, traced
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.views import sizes_of, views
from densecap.ops.resize import resize_image

ENDING, ABOUT = ".pt2", "densecap.json"


def write(loaded: LoadedModel, folder: Path, origin: Mapping[str, Any]) -> None:
    """Errors: UserError for a model that cannot be traced, OSError."""
    about = {ABOUT: json.dumps(description(loaded, origin), ensure_ascii=False)}
    for name, part in parts_of(loaded.model, limited=True).items():
        program = traced(part)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.export.save(program, folder / f"{name}{ENDING}", extra_files=about if name == "model" else None)


def check(loaded: LoadedModel, folder: Path, picture: Tensor) -> str:
    """Load the programs back and run them on a (3, H, W) uint8 picture, beside the parts they were traced from.

    Errors: UserError where the results differ.
    """
    parts = parts_of(loaded.model, limited=True)
    programs = {name: torch.export.load(folder / f"{name}{ENDING}").module() for name in parts}
    inputs: tuple[Tensor, ...] = (_pixels(loaded, picture),)
    with torch.no_grad():
        outputs = _same(parts["model"], programs["model"], inputs)
        features = outputs[-1][:50]
        state = _same(parts["decoder_start"], programs["decoder_start"], (features,))
        tokens = torch.full((len(features),), loaded.model.vocabulary.start)
        _same(parts["decoder_step"], programs["decoder_step"], (tokens, *state))
    return f"loaded back and run on a picture: all values of {len(outputs[-1])} regions are those of the model"


def _pixels(loaded: LoadedModel, picture: Tensor) -> Tensor:
    model = loaded.model
    resized = resize_image(picture, model.image_size, model.conventions.resize_filter)
    return resized if isinstance(model, DenseCaptioner) else views(resized, sizes_of(model.input_size)[0], model.crop)


def _same(part: Part, program: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    wanted, found = part.module(*inputs), program(*inputs)
    wanted, found = (item if isinstance(item, tuple | list) else (item,) for item in (wanted, found))
    for name, own, other in zip(part.outputs, wanted, found, strict=True):
        if own.shape != other.shape or not torch.allclose(own, other, atol=1e-5, rtol=1e-5):
            raise UserError(f"the program gives other {name} than the model: it was not kept")
    return tuple(wanted)
