"""A trained model to use from Python: pictures of any kind in, results to look at out."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from densecap.errors import UserError
from densecap.models.captioner import Captioner
from densecap.models.generation import GenerationSettings
from densecap.models.settings import DetectionSettings
from densecap.prediction.inputs import is_picture, open_inputs
from densecap.prediction.loop import check_finite
from densecap.prediction.precision import autocast, check_precision
from densecap.prediction.reading import Picture, read_pictures
from densecap.prediction.results import Result
from densecap.prediction.sources import Source
from densecap.structures import Prediction, RegionPrediction
from densecap.text.vocabulary import Vocabulary


class Predictor:
    """A model with the settings it predicts with; what ``densecap.load`` returns.

    ``predict`` and ``stream`` take files, folders, videos and pictures in memory; ``caption_images`` and
    ``caption_boxes`` take tensors. Everything else is the model's own: ``predictor.image_features(...)`` is
    ``predictor.model.image_features(...)``. ``device`` may be auto (None leaves the model where it is), ``precision``
    is fp32, bf16 or fp16.
    """

    def __init__(
        self,
        model: Captioner,
        detection: DetectionSettings | None = None,
        generation: GenerationSettings | None = None,
        device: torch.device | str | None = None,
        precision: str = "fp32",
    ) -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = model.eval() if device is None else model.eval().to(device)
        self.detection = detection or model.detection
        self.generation = generation or model.generation
        self.precision = check_precision(precision)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "model":
            raise AttributeError(name)
        return getattr(self.model, name)

    @property
    def vocabulary(self) -> Vocabulary:
        """The words it can say."""
        return self.model.vocabulary

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def image_size(self) -> int:
        """Pixels of the longest side of what the model sees; may be set."""
        return self.model.image_size

    @image_size.setter
    def image_size(self, longest: int) -> None:
        self.model.image_size = longest

    def to(self, device: torch.device | str) -> Predictor:
        """Move the model; returns the predictor."""
        self.model.to(device)
        return self

    def with_settings(self, **settings: Any) -> Predictor:
        """The same model with some fields of ``detection`` and ``generation`` replaced, by their names
        (``score_threshold``, ``max_detections``, ``beam_size`` ...), or ``precision``.

        Errors: UserError for a name that neither has or a value out of range.
        """
        parts: dict[str, Any] = {"detection": self.detection, "generation": self.generation}
        precision = settings.pop("precision", self.precision)
        for name, value in settings.items():
            owner = next((key for key in parts if name in _names(parts[key])), None)
            if owner is None:
                known = ", ".join([*_names(self.detection), *_names(self.generation), "precision"])
                raise UserError(f"there is no setting {name}; there are {known}")
            parts[owner] = dataclasses.replace(parts[owner], **{name: value})
        return Predictor(self.model, parts["detection"], parts["generation"], None, precision)

    def caption_images(
        self,
        images: Sequence[Tensor],
        detection: DetectionSettings | None = None,
        generation: GenerationSettings | None = None,
    ) -> list[list[RegionPrediction]]:
        """Find and describe the regions of (3, H, W) uint8 RGB images; boxes in pixels of the given images."""
        with torch.no_grad(), autocast(self.device, self.precision):
            return self.model.caption_images(images, detection or self.detection, generation or self.generation)

    def caption_boxes(
        self, images: Sequence[Tensor], boxes: Sequence[Tensor], generation: GenerationSettings | None = None
    ) -> list[list[RegionPrediction]]:
        """Describe the given (R, 4) boxes, in pixels of the given images, in their order."""
        with torch.no_grad(), autocast(self.device, self.precision):
            return self.model.caption_boxes(images, boxes, generation or self.generation)

    def predict(
        self,
        source: Any,
        *,
        boxes: Any = None,
        batch_size: int = 4,
        stream: bool = False,
        skip_broken: bool = False,
        **settings: Any,
    ) -> Any:
        """Describe pictures: one ``Result`` for one picture, a list for several, an iterator with ``stream=True``.

        ``source`` is whatever ``predict.py source=`` takes (a file, folder, glob, list file, address, video ...), a
        PIL image, an (H, W, 3) uint8 array, a (3, H, W) uint8 tensor, or a list of such things. ``boxes`` (R, 4), in
        pixels of the picture, are described instead of regions that the model finds; for a list of pictures one such
        for each. ``settings`` are those of ``with_settings``. Errors: UserError for a picture that cannot be read;
        with ``skip_broken`` it is left out with a warning.
        """
        one = _is_one(source)
        given = [boxes] if one and boxes is not None else boxes
        results = self.stream(source, boxes=given, batch_size=batch_size, skip_broken=skip_broken, **settings)
        if stream:
            return results
        found = list(results)
        return found[0] if one and len(found) == 1 and _is_of(found[0], source) else found

    def stream(
        self,
        source: Any,
        *,
        boxes: Iterable[Any] | None = None,
        batch_size: int = 4,
        skip_broken: bool = False,
        **settings: Any,
    ) -> Iterator[Result]:
        """The results of ``predict`` one by one as they come, for videos, streams and more than memory holds."""
        own = self.with_settings(**settings)
        pictures = open_inputs(source)
        return own._results(pictures, None if boxes is None else iter(boxes), batch_size, skip_broken)

    def _results(
        self, source: Source, boxes: Iterator[Any] | None, batch_size: int, skip_broken: bool
    ) -> Iterator[Result]:
        for pictures in read_pictures(source, batch_size):
            given = None if boxes is None else [_boxes(next(boxes, None), picture) for picture in pictures]
            good = [index for index, picture in enumerate(pictures) if _is_good(picture, skip_broken)]
            images = [image for index in good if (image := pictures[index].image) is not None]
            if given is None:
                found = self.caption_images(images)
            else:
                found = self.caption_boxes(images, [given[index] for index in good])
            for index, image, regions in zip(good, images, found):
                yield _result(pictures[index], image, regions)


def _names(settings: Any) -> list[str]:
    return [item.name for item in dataclasses.fields(settings)]


def _is_good(picture: Picture, skip_broken: bool) -> bool:
    if picture.image is None:
        sentence = f"{picture.name} {picture.problem}"
        if not skip_broken:
            raise UserError(sentence)
        warnings.warn(f"skipped: {sentence}", stacklevel=3)
    return picture.image is not None


def _boxes(given: Any, picture: Picture) -> Tensor:
    boxes = None if given is None else torch.as_tensor(given, dtype=torch.float32)
    if boxes is None or boxes.dim() != 2 or boxes.shape[1] != 4:
        shape = "none" if boxes is None else str(tuple(boxes.shape))
        raise UserError(f"boxes are (R, 4) corners x1, y1, x2, y2 for each picture, got {shape} for {picture.name}")
    return boxes


def _result(picture: Picture, image: Tensor, regions: list[RegionPrediction]) -> Result:
    frame = picture.frame
    prediction = Prediction(
        picture.image_id,
        picture.name,
        image.shape[-1],
        image.shape[-2],
        regions,
        frame=None if frame is None else frame.index,
        seconds=None if frame is None else frame.seconds,
    )
    check_finite(prediction)
    return Result(prediction, image)


def _is_one(source: Any) -> bool:
    """Whether a source names or is one thing."""
    if isinstance(source, str | Path):
        return "://" in str(source) or Path(source).expanduser().is_file()
    return is_picture(source)


def _is_of(result: Result, source: Any) -> bool:
    """Whether a result is of the one thing itself, not of a frame in it or a file that it lists."""
    if not isinstance(source, str | Path) or "://" in str(source):
        return result.prediction.frame is None
    return result.prediction.frame is None and Path(result.file) == Path(source).expanduser()
