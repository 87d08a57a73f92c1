"""Any network of the timm package that can return its intermediate features."""

from __future__ import annotations

import difflib
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from densecap.errors import UserError
from densecap.models.backbones.base import Backbone
from densecap.models.backbones.geometry import traced_level
from densecap.models.backbones.initialization import settle_batch_norms
from densecap.models.backbones.weights import IMAGENET, check_finite, check_state, read_state_file

#: The stride of the map that is taken unless ``out_index`` says otherwise.
PREFERRED_STRIDE = 16


class TimmBackbone(Backbone):
    """(B, 3, H, W) -> one map (B, C, h, w) of timm's network ``name``, of stride 16 where it has one.

    ``out_index`` picks another of the network's maps (0 is the finest). ``options`` goes to ``timm.create_model``;
    transformers need ``{dynamic_img_size: true}`` or ``{strict_img_size: false}`` to take images of any size.
    ``weights`` is "imagenet" (timm's default weights for the name), the path of a local file, or None. Images are
    normalised as the network's own configuration says. ``image_features`` pools the map.
    """

    def __init__(
        self,
        name: str,
        weights: str | None = "imagenet",
        trainable: bool = True,
        normalization: str = "imagenet",
        out_index: int | None = None,
        options: dict[str, Any] | None = None,
        image_pool: str = "mean",
    ) -> None:
        super().__init__(normalization, image_pool)
        timm = import_timm()
        options = dict(options or {})
        maps = _create(timm, name, features_only=True, **options).feature_info
        index = _choose_map(name, maps.reduction(), out_index)
        arguments = {"features_only": True, "out_indices": [maps.out_indices[index]], **options}
        if weights not in (None, IMAGENET):
            overlay = {"state_dict": _read_checked(timm, name, str(weights), options)}
            arguments["pretrained_cfg_overlay"] = overlay
        self.network = _create(timm, name, pretrained=weights is not None, **arguments)
        self.channels_last_maps = getattr(getattr(self.network, "output_fmt", None), "value", "NCHW") == "NHWC"
        self.out_channels = maps.channels()[index]
        if weights is None:
            settle_batch_norms(self.network)
        stride = maps.reduction()[index]
        self.network.eval()
        self.geometry = (traced_level(self.network, stride, size=16 * stride),)
        self.network.train(self.training)
        if normalization == "imagenet":
            self._use_own_normalization(timm)
        self.complete(weights is not None, trainable)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        height, width = images.shape[2:]
        stride = self.geometry[0].stride  # padded to a multiple of it: patches are not cut, no border goes unseen
        padded = F.pad(self.normalize(images), (0, -width % stride, 0, -height % stride))
        (features,) = self.network(padded)
        return (features.permute(0, 3, 1, 2) if self.channels_last_maps else features,)

    def _use_own_normalization(self, timm: ModuleType) -> None:
        config = timm.data.resolve_data_config({}, model=self.network)
        mean, std = (tuple(255 * value for value in config[key]) for key in ("mean", "std"))
        self.set_mean_and_std(mean, std)


def import_timm() -> ModuleType:
    """The timm package. Errors: UserError that names the extra when it is not installed."""
    try:
        import timm
    except ImportError as error:
        raise UserError("model/backbone=timm needs the timm package: install densecap[timm]") from error
    return timm


def _create(timm: ModuleType, name: str, **arguments: Any) -> Any:
    architecture = name.split(".")[0]
    if not timm.is_model(architecture):
        nearest = difflib.get_close_matches(architecture, timm.list_models(), n=3, cutoff=0.4)
        hint = f"did you mean {', '.join(nearest)}?" if nearest else "timm.list_models() lists them all"
        raise UserError(f"model.backbone.name={name} is not a timm network: {hint}")
    try:
        return timm.create_model(name, **arguments)
    except Exception as error:  # timm raises whatever its model code or its download raises
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if not arguments.get("pretrained"):
            raise UserError(f"timm cannot build {name} as a backbone with these options: {reason}") from error
        config = timm.get_pretrained_cfg(name)
        where = " or ".join(filter(None, (config and config.url, config and config.hf_hub_id))) or "timm's pages"
        raise UserError(
            f"the weights of {name} could not be loaded ({reason}): fetch them from {where} on a machine that can and "
            "say model.backbone.weights=PATH; model.backbone.weights=null starts from random weights"
        ) from error


def _choose_map(name: str, strides: list[int], out_index: int | None) -> int:
    if out_index is not None:
        if not -len(strides) <= out_index < len(strides):
            listed = ", ".join(f"{index} (stride {stride})" for index, stride in enumerate(strides))
            raise UserError(f"model.backbone.out_index={out_index}: {name} has the maps {listed}")
        return out_index % len(strides)
    fitting = [index for index, stride in enumerate(strides) if stride <= PREFERRED_STRIDE]
    return fitting[-1] if fitting else 0


def _read_checked(timm: ModuleType, name: str, path: str, options: dict[str, Any]) -> dict[str, Tensor]:
    """A local state dict, after checking it against the complete network; only its classifier may be missing."""
    state = read_state_file(path)
    with torch.device("meta"):
        complete = _create(timm, name, **options)
    expected = complete.state_dict()
    classifier = complete.pretrained_cfg.get("classifier") or ()
    prefixes = tuple(f"{part}." for part in ([classifier] if isinstance(classifier, str) else classifier))
    wanted = {key: value for key, value in expected.items() if not key.startswith(prefixes or ("classifier.",))}
    check_state(state, wanted, expected, path, name)
    check_finite(state, wanted, path)
    return state
