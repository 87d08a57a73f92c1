"""Features of images of a prepared file as a whole-image captioner's decoder takes them, looked up or computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from densecap.checkpoint import LoadedModel
from densecap.data.hdf5 import RegionFile
from densecap.data.stored_pictures import stored_pictures
from densecap.errors import UserError
from densecap.models.backbones.precomputed import Precomputed
from densecap.models.feature_recipe import digest_of_weights
from densecap.models.image_captioner import ImageCaptioner
from densecap.models.views import in_words


class ImageVectors:
    """Gives (N, F) features of images of ``source``, on the model's device.

    They come from the file ``given``; without it from the file that the model was trained on, if that is there and of
    these images; else they are computed from the stored pictures, ``batch_size`` at once. Errors: UserError when the
    given file holds other features than the model's own, or those of other images.
    """

    def __init__(self, loaded: LoadedModel, source: RegionFile, given: str | None, batch_size: int) -> None:
        assert isinstance(loaded.model, ImageCaptioner)
        self.model, self.source, self.batch_size = loaded.model, source, batch_size
        self.file = self._file(given) if given else self._trained_on(loaded)

    @torch.no_grad()
    def __call__(self, rows: Sequence[int], advance: Callable[[int], None] = lambda count: None) -> Tensor:
        """Rows of the prepared file -> (N, F); ``advance`` is told how many images are done."""
        if self.file is not None:
            advance(len(rows))
            found = self.file.lookup([self.source.ids[row] for row in rows])
            return self.model.scaling(found.to(self.model.device))
        parts = [torch.zeros(0, self.model.decoder.feature_dim, device=self.model.device)]
        for batch, pictures in stored_pictures(self.source, rows, self.batch_size):
            parts.append(self.model.image_features(pictures).float())
            advance(len(batch))
        return torch.cat(parts)

    def _trained_on(self, loaded: LoadedModel) -> Precomputed | None:
        path = loaded.config["model"]["backbone"].get("file")
        if not path or not Path(str(path)).is_file():
            return None
        try:
            return self._file(str(path))
        except UserError:  # made anew since, or of another data set
            return None

    def _file(self, path: str) -> Precomputed:
        file = Precomputed(str(Path(path).expanduser()))
        file.check(self.source.attrs["name"], self.source.ids, self.model.image_size)
        recipe, model = file.recipe, self.model
        if recipe.weights_sha256 and recipe.weights_sha256 != digest_of_weights(model.backbone):
            raise UserError(f"{path} holds features of {recipe.backbone_name} with other weights than the model has")
        if (recipe.crop, recipe.input_size) != (model.crop, model.input_size):
            raise UserError(
                f"{path} was made with {recipe.crop} of {in_words(recipe.input_size)} pixels, the model sees "
                f"{model.crop} of {in_words(model.input_size)}"
            )
        return file


def refined_vectors(model: ImageCaptioner, features: Tensor) -> Tensor:
    """(N, F) -> (N, M) image features of the trained multimodal layer, in which similar images lie closer together;
    the features themselves for a decoder that has no such layer."""
    if not model.decoder.late_fusion:
        return features
    with torch.no_grad():
        return torch.cat([model.decoder.refined(part) for part in features.split(4096)])
