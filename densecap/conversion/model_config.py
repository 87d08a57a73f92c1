"""The configuration of a model as ``configs/model`` describes it, for the sizes that were found in a file."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from densecap.models.backbones.base import Backbone
from densecap.models.decoders.base import Decoder
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.image_captioner import ImageCaptioner
from densecap.models.localization.fcln import LocalizationLayer
from densecap.models.recognition.fully_connected import Recognition

Node = dict[str, Any]


def part(constructor: Callable[..., Any], **given: Any) -> Node:
    """The node of a part: its constructor's defaults and what is ``given``."""
    parameters = inspect.signature(constructor).parameters.values()
    defaults = {item.name: item.default for item in parameters if item.default is not inspect.Parameter.empty}
    name = f"{constructor.__module__}.{constructor.__qualname__}"
    values = {key: _plain(value) for key, value in (defaults | given).items()}
    return {"_target_": name} | values


def partial_part(constructor: Callable[..., Any], **given: Any) -> Node:
    """The node of a part that the model completes."""
    node = part(constructor, **given)
    return {"_target_": node.pop("_target_"), "_partial_": True} | node


def backbone(constructor: type[Backbone], **given: Any) -> Node:
    """Without weights, for they are in the checkpoint."""
    return part(constructor, **{"weights": None} | given)


def decoder(constructor: type[Decoder], **given: Any) -> Node:
    return partial_part(constructor, **given)


def dense_captioner(
    backbone: Node,
    localization: Node,
    recognition: Node,
    decoder: Node,
    layer_class: type[LocalizationLayer] = LocalizationLayer,
    **given: Any,
) -> Node:
    """``localization`` and ``recognition`` are what differs from the defaults of those parts."""
    layer = partial_part(layer_class, **localization)
    layer.pop("conventions", None)  # the model's, see ``compat``
    parts = {"localization": layer, "recognition": partial_part(Recognition, **recognition)}
    return partial_part(DenseCaptioner, backbone=backbone, **parts, decoder=decoder, **given)


def image_captioner(backbone: Node, decoder: Node, **given: Any) -> Node:
    return partial_part(ImageCaptioner, backbone=backbone, decoder=decoder, **given)


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
