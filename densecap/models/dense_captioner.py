"""DenseCap's fully convolutional localization network: find the regions of a photo and describe each in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from densecap.models import inference
from densecap.models.backbones.base import Backbone
from densecap.models.conventions import conventions_of
from densecap.models.decoders.base import Decoder
from densecap.models.generation import GenerationSettings
from densecap.models.hub_model import HubModel
from densecap.models.localization.fcln import LocalizationLayer, MapGroup, SampledRegions, box_loss
from densecap.models.losses import mean_per_image, objectness_loss, proposal_losses
from densecap.models.recognition.fully_connected import Recognition
from densecap.models.settings import DetectionSettings
from densecap.ops.boxes import invert_transforms
from densecap.structures import Batch, RegionPrediction
from densecap.text.vocabulary import Vocabulary


class DenseCaptioner(HubModel):
    """Backbone, localization layer, recognition network and caption decoder in one differentiable model.

    ``localization``, ``recognition`` and ``decoder`` are constructors; the sizes on which two parts must agree are
    filled in here. ``image_size`` is the length in pixels to which the longest side of an image is resized;
    ``compat="densecap2016"`` brings the original's accidents back (``densecap.models.conventions``).
    """

    #: Whether it finds regions itself, and whether training reads pixels.
    finds_boxes, needs_pixels = True, True

    def __init__(
        self,
        vocabulary: Vocabulary,
        backbone: Backbone,
        localization: Callable[..., LocalizationLayer],
        recognition: Callable[..., Recognition],
        decoder: Callable[..., Decoder],
        image_size: int = 720,
        compat: str | None = None,
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.image_size = image_size
        self.conventions = conventions_of(compat)
        self.detection, self.generation = DetectionSettings(), GenerationSettings()
        self.backbone = backbone
        self.localization = localization(
            channels=backbone.out_channels, geometry=backbone.geometry, conventions=self.conventions
        )
        self.recognition = recognition(channels=backbone.out_channels, pool_size=self.localization.pool_size)
        self.decoder = decoder(feature_dim=self.recognition.out_dim, vocabulary_size=len(vocabulary))
        if self.conventions.caffe_pixels:
            backbone.use_compat()
        self.learns_words = False
        pretrained = backbone.recognition_weights()
        if pretrained is not None:
            self.recognition.load_pretrained(pretrained)

    def learn_words(self) -> None:
        """Add the loss ``words``, see ``Decoder.word_loss``; errors: UserError when the decoder has none."""
        self.decoder.check_word_loss()
        self.learns_words = True

    def feature_maps(self, images: Tensor, sizes: Sequence[tuple[int, int]]) -> list[MapGroup]:
        """Feature maps of (B, 3, H, W) padded images, as groups (indices, maps) of images of one size.

        Each image is seen without its padding, so its result does not depend on what shares its batch.
        """
        groups: dict[tuple[int, int], list[int]] = {}
        for index, size in enumerate(sizes):
            groups.setdefault(size, []).append(index)
        whole = len(groups) == 1 and next(iter(groups)) == tuple(images.shape[-2:])
        return [
            (rows, self.backbone(images if whole else images[rows, :, : size[0], : size[1]]))
            for size, rows in groups.items()
        ]

    def forward(
        self, batch: Batch, generator: torch.Generator | Sequence[torch.Generator] | None = None
    ) -> dict[str, Tensor]:
        """The losses of a batch, unweighted: objectness_proposal, box_proposal, box_decay, objectness, box,
        caption and, after ``learn_words``, words. Each is the mean over images.

        ``generator`` (on the CPU), or one for each image, makes the sampling of regions repeatable.
        """
        groups = self.feature_maps(batch.images, batch.image_sizes)
        samples: list[SampledRegions] = [None] * len(batch)  # type: ignore[list-item]
        terms = []
        for rows, levels in groups:
            for index, proposals in zip(rows, self.localization.propose(levels)):
                truth, size = batch.regions[index].boxes, batch.image_sizes[index]
                own = generator[index] if isinstance(generator, Sequence) else generator
                samples[index], term = self.localization.sample(proposals, truth, size, own)
                terms.append(term)
        pooled = self.localization.pool(groups, [item.boxes for item in samples], batch.image_sizes)
        return {**proposal_losses(terms), **self._recognition_losses(pooled, samples, batch)}

    def _recognition_losses(self, pooled: Tensor, samples: Sequence[SampledRegions], batch: Batch) -> dict[str, Tensor]:
        codes = self.recognition(pooled)
        sampled, positives = [len(s.boxes) for s in samples], [len(s.truth) for s in samples]
        is_region = torch.cat([torch.arange(len(s.boxes), device=codes.device) < len(s.truth) for s in samples])
        boxes = torch.cat([sample.boxes for sample in samples])[is_region]
        truth = torch.cat([regions.boxes[s.truth] for s, regions in zip(samples, batch.regions)])
        tokens = torch.cat([regions.tokens[s.truth] for s, regions in zip(samples, batch.regions)])
        positive = codes[is_region]  # (P, F)
        transforms = self.recognition.box(positive).float()
        losses = {
            "objectness": objectness_loss(self.recognition.objectness(codes)[:, 0], is_region, sampled),
            "box": mean_per_image(box_loss(transforms, invert_transforms(boxes, truth)), positives),
            "caption": mean_per_image(self.decoder.loss(positive, tokens), positives),
        }
        if self.learns_words:
            losses["words"] = mean_per_image(self.decoder.word_loss(positive, tokens), positives)
        return losses

    def detect(
        self, images: Tensor, sizes: Sequence[tuple[int, int]], settings: DetectionSettings | None = None
    ) -> list[inference.Detections]:
        """Boxes of padded (B, 3, H, W) images after the final NMS, best first, not yet described."""
        return inference.detect(self, images, sizes, settings or self.detection)

    def caption_images(
        self,
        images: Sequence[Tensor],
        detection: DetectionSettings | None = None,
        generation: GenerationSettings | None = None,
    ) -> list[list[RegionPrediction]]:
        """Find and describe the regions of (3, H, W) uint8 RGB images; boxes in pixels of the given images."""
        return inference.caption_images(self, images, detection or self.detection, generation or self.generation)

    def caption_boxes(
        self, images: Sequence[Tensor], boxes: Sequence[Tensor], generation: GenerationSettings | None = None
    ) -> list[list[RegionPrediction]]:
        """Describe the given (R, 4) boxes, in pixels of the given images, in their order."""
        return inference.caption_boxes(self, images, boxes, generation or self.generation)
