"""A model of graphs that describes pictures, as the models of ``densecap.models`` do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from densecap.errors import UserError
from densecap.models.generation_settings import GenerationSettings
from densecap.models.settings import DetectionSettings
from densecap.models.spoken import described, spoken
from densecap.onnx_runtime.decoding import Spoken, State, check_settings, generate
from densecap.onnx_runtime.files import Graphs, open_graphs
from densecap.onnx_runtime.pixels import longest_side_resized, squares
from densecap.onnx_runtime.suppression import kept_boxes, sigmoid
from densecap.structures import RegionPrediction
from densecap.text.vocabulary import Vocabulary


class OnnxCaptioner:
    """``OnnxCaptioner.load(folder).caption_images([pixels])``, of (3, H, W) uint8 RGB arrays.

    It has the ``vocabulary``, ``image_size`` and the settings ``detection`` and ``generation`` it was exported with.
    """

    def __init__(self, graphs: Graphs) -> None:
        self.graphs = graphs
        about = graphs.about
        self.vocabulary = Vocabulary(about["words"])
        self.image_size, self.resize_filter = about["image_size"], about["resize_filter"]
        self.finds_boxes = about["kind"] == "dense captioner"
        self.detection = _settings(DetectionSettings, about["detection"])
        self.generation = _settings(GenerationSettings, about["generation"])

    @classmethod
    def load(cls, path: str | Path, threads: int | None = None) -> OnnxCaptioner:
        """From an exported folder, or the model.onnx in it. Errors: UserError when it cannot be used."""
        return cls(open_graphs(Path(path).expanduser(), threads))

    def caption_images(
        self,
        images: Sequence[np.ndarray],
        detection: DetectionSettings | None = None,
        generation: GenerationSettings | None = None,
    ) -> list[list[RegionPrediction]]:
        """Described boxes of each image in its own pixels, best score first; whole images where it finds none."""
        generation = generation or self.generation
        check_settings(generation)
        describe = self._regions if self.finds_boxes else self._whole
        return [describe(np.asarray(image), detection or self.detection, generation) for image in images]

    def detect(self, image: np.ndarray, settings: DetectionSettings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes (R, 4) in pixels of the image, logits (R,) and features (R, F), best first."""
        resized = longest_side_resized(image, self.image_size, self.resize_filter)
        options = {
            "proposal_nms_iou": np.array([settings.proposal_nms_iou], np.float32),
            "max_proposals": np.array([settings.max_proposals], np.int64),
        }
        boxes, logits, features = self.graphs.model.run(None, {"image": resized, **options})
        kept = kept_boxes(boxes, logits, settings)
        scale = [resized.shape[2] / image.shape[2], resized.shape[1] / image.shape[1]]
        return boxes[kept] / np.array(scale * 2, np.float32), logits[kept], features[kept]

    def features(self, image: np.ndarray, settings: DetectionSettings) -> np.ndarray:
        """(R, F) what the regions of an image, or (1, F) what the whole image, is described from."""
        if self.finds_boxes:
            return self.detect(image, settings)[2]
        views: Any = self.graphs.about["views"]
        resized = longest_side_resized(image, self.image_size, self.resize_filter)
        (features,) = self.graphs.model.run(None, {"squares": squares(resized, views["size"], views["crop"])})
        return features.mean(axis=0, keepdims=True)

    def describe(self, features: np.ndarray, generation: GenerationSettings) -> Spoken:
        """Captions of features (N, F), ``generation.num_captions`` each."""
        graphs = self.graphs
        names = [item.name for item in graphs.start.get_outputs()]
        state = dict(zip(names, graphs.start.run(None, {"features": features.astype(np.float32, copy=False)})))

        def step(tokens: np.ndarray, state: State) -> tuple[np.ndarray, State]:
            scores, *following = graphs.step.run(None, {"tokens": tokens, **state})
            return scores, dict(zip(names, following))

        return generate(step, state, len(features), generation, self.vocabulary)

    def _regions(
        self, image: np.ndarray, detection: DetectionSettings, generation: GenerationSettings
    ) -> list[RegionPrediction]:
        boxes, logits, features = self.detect(image, detection)
        return self._described(boxes, sigmoid(logits), features, generation)

    def _whole(
        self, image: np.ndarray, detection: DetectionSettings, generation: GenerationSettings
    ) -> list[RegionPrediction]:
        box = np.array([[0, 0, image.shape[2], image.shape[1]]], np.float32)
        return self._described(box, np.ones(1), self.features(image, detection), generation)

    def _described(
        self, boxes: np.ndarray, scores: np.ndarray, features: np.ndarray, generation: GenerationSettings
    ) -> list[RegionPrediction]:
        said = spoken(self.describe(features, generation), generation.num_captions, self.vocabulary)
        rows = zip(boxes.tolist(), scores.tolist(), said)
        return [described(tuple(box), score, own, generation.num_captions) for box, score, own in rows]


def _settings(kind: Any, values: dict[str, Any]) -> Any:
    """Errors: UserError for a value out of range; settings of later versions are left out."""
    known = {item.name for item in dataclasses.fields(kind)}
    try:
        return kind(**{name: value for name, value in values.items() if name in known})
    except TypeError as error:
        raise UserError(f"the graph's description holds settings that are none: {error}") from error
