"""Features that were computed once, in place of a network: looked up by image id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from densecap.errors import UserError
from densecap.models.backbones.base import Backbone
from densecap.models.feature_file import FeatureFile
from densecap.models.feature_recipe import FeatureRecipe, digest_of_ids


class Precomputed(Backbone):
    """The vectors of a file that ``python -m densecap extract_features`` made; nothing here is trained.

    Such a model needs no pixels to train. What computes the features of a new photo is the file's ``recipe``, which
    goes into the checkpoint. Errors: UserError for a file that is none or holds other things than features of whole
    images from a backbone, for ``trainable``, and wherever a feature map is asked for.
    """

    def __init__(self, file: str, trainable: bool = False, weights: str | None = None) -> None:
        super().__init__()
        self.file = FeatureFile(file)
        if self.recipe.layer != "backbone":
            raise UserError(
                f"{file} holds {self.recipe.layer} features, a model is trained on features.layer=backbone: "
                "make such a file with extract_features"
            )
        if trainable:
            raise UserError("model/backbone=precomputed cannot be trained: give model.backbone.trainable=false")
        self.input_size = self.recipe.input_size
        self.complete(pretrained=False, trainable=False)

    @property
    def recipe(self) -> FeatureRecipe:
        return self.file.recipe

    @property
    def feature_dim(self) -> int:
        return self.file.feature_dim

    def lookup(self, ids: Sequence[str]) -> Tensor:
        """(B, F) on the CPU. Errors: UserError for an image that the file does not have."""
        return self.file.features(ids)

    def check(self, data_name: str, ids: Sequence[str], image_size: int) -> None:
        """Errors: UserError when the features are of another data set than these images of that size."""
        made = f"{self.file.path} was made of"
        if self.recipe.data_name != data_name:
            raise UserError(f"{made} data={self.recipe.data_name}, not of {data_name}: make one with extract_features")
        if not self.recipe.ids_sha256:
            self.lookup(ids)
        elif self.recipe.ids_sha256 != digest_of_ids(ids):
            raise UserError(f"{made} other images of {data_name} than are prepared now: run extract_features again")
        if self.recipe.image_size != image_size:
            raise UserError(
                f"{made} images of {self.recipe.image_size} pixels, data.image_size is {image_size}: give the same, "
                "or run extract_features again"
            )

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        raise _no_maps()

    def image_features(self, images: Tensor) -> Tensor:
        raise UserError("model/backbone=precomputed knows images by their ids, not by their pixels")

    def set_trainable(self, trainable: bool) -> None:
        """Nothing to train, so nothing to do."""

    @property
    def out_channels(self) -> int:  # type: ignore[override]
        raise _no_maps()

    @property
    def geometry(self) -> Any:  # type: ignore[override]
        raise _no_maps()


def _no_maps() -> UserError:
    return UserError("model/backbone=precomputed has no feature maps, which a dense captioner needs: choose another")
