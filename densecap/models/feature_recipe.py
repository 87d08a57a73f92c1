"""What a file of features was computed from: enough to compute the same of a new photo."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import nn

from densecap.models.views import InputSize, canonical_size

#: Keys of a backbone's configuration that change no feature, the weights being compared by their digest.
IRRELEVANT = ("weights", "trainable")


@dataclass(frozen=True)
class FeatureRecipe:
    """The provenance of a feature file.

    ========================  ======================================================================================
    data_name                 name of the data set
    ids_sha256                of the image ids in the order of the prepared file, see ``digest_of_ids``; "" where others
                              computed them: any of those images may be prepared
    image_size                pixels of the longest side of the images before they were cropped
    backbone                  configuration of the backbone: ``_target_`` and arguments; ``weights`` "imagenet", the
                              absolute path of a file, or None
    weights_sha256            of the backbone's tensors, see ``digest_of_weights``; "" where nobody says which they were
    crop, input_size          how an image became squares, and their side in pixels, or several sides at which it was
                              seen (``densecap.models.views``)
    layer                     "backbone", "refined" (the multimodal layer of a trained captioner) or "regions" (those
                              that a trained dense captioner finds)
    checkpoint_sha256         of the trained captioner's file, None for layer "backbone" without one
    ========================  ======================================================================================
    """

    data_name: str
    ids_sha256: str
    image_size: int
    backbone: dict[str, Any]
    weights_sha256: str
    crop: str
    input_size: InputSize
    layer: str = "backbone"
    checkpoint_sha256: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FeatureRecipe:
        """Errors: KeyError when a field is missing; fields of later versions are left out."""
        fields = {name: value[name] for name in cls.__dataclass_fields__}
        return cls(**fields | {"input_size": canonical_size(fields["input_size"])})

    @property
    def backbone_name(self) -> str:
        """The class of the backbone."""
        return str(self.backbone["_target_"]).rpartition(".")[2]

    def without_data(self) -> FeatureRecipe:
        """The same recipe for any images."""
        return replace(self, data_name="", ids_sha256="")

    def difference(self, other: FeatureRecipe) -> str | None:
        """In what this is another recipe than ``other``, as "crop is ten, not squash"; None when both give the same."""
        mine, theirs = self.to_json(), other.to_json()
        for fields in (mine, theirs):
            backbone = fields["backbone"]
            fields["backbone"] = {key: value for key, value in backbone.items() if key not in IRRELEVANT}
        if mine["backbone"].get("_target_") != theirs["backbone"].get("_target_"):
            return f"the backbone is {self.backbone_name}, not {other.backbone_name}"
        names = [name for name in mine if mine[name] != theirs[name]]
        if not names:
            return None
        if names[0].endswith("sha256"):
            return {
                "ids_sha256": "the images are others",
                "weights_sha256": f"the weights of {self.backbone_name} are others",
                "checkpoint_sha256": "the checkpoint is another",
            }[names[0]]
        return f"{names[0]} is {mine[names[0]]}, not {theirs[names[0]]}"


def digest_of_ids(ids: Iterable[str]) -> str:
    """SHA-256 of image ids, each followed by a line feed."""
    return hashlib.sha256("".join(f"{image_id}\n" for image_id in ids).encode()).hexdigest()


def digest_of_weights(module: nn.Module) -> str:
    """SHA-256 over the names, types, shapes and bytes of a module's tensors, sorted by name.

    It does not depend on the file they came from. Counters of batches, which some files lack, are left out.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
