"""The JSON that clients get: a prediction document for requests, messages for streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from densecap.prediction.writers.own import BOX_FORMAT
from densecap.serving.images import Picture
from densecap.serving.options import Options
from densecap.serving.service import Answer, Service
from densecap.structures import PREDICTIONS_VERSION, Prediction

#: Version of the WebSocket's messages.
PROTOCOL = 1


def public_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """What predictions.json says of the model, without the folder of its file and without its words."""
    plain = {key: value for key, value in card.items() if key != "vocabulary"}
    return {**plain, "checkpoint": str(card.get("checkpoint", "")).replace("\\", "/").rpartition("/")[2]}


def model_document(service: Service) -> dict[str, Any]:
    """``/v1/model``: the card with the words, what the model does, and the limits."""
    return {
        **public_card(service.card),
        "vocabulary": service.card.get("vocabulary", []),
        "finds_boxes": service.finds_boxes,
        "devices": [str(describer.device) for describer in service.describers],
        "limits": service.limits.to_json(),
    }


def prediction_document(
    service: Service,
    options: Options,
    predictions: Sequence[Prediction],
    errors: Sequence[dict[str, str]],
    timing: dict[str, Any],
) -> dict[str, Any]:
    """What ``densecap.prediction.writers`` says of predictions.json, without the vocabulary (``/v1/model`` has it)."""
    detection, generation = options.settings(service.detection, service.generation)
    card = public_card(service.card)
    used = {**card.get("config", {}), "detection": asdict(detection), "generation": asdict(generation)}
    return {
        "version": PREDICTIONS_VERSION,
        "model": {**card, "config": used},
        "box_format": BOX_FORMAT,
        "images": [prediction.to_json() for prediction in predictions],
        "complete": True,
        "errors": list(errors),
        "timing": timing,
    }


def request_timing(answers: Sequence[Answer], decode: float, total: float) -> dict[str, Any]:
    """The ``timing`` of predictions.json, and in milliseconds the longest wait, the model's time and the whole."""
    model = max((answer.model for answer in answers), default=0.0)
    return {
        "images": len(answers),
        "seconds": round(total, 4),
        "images_per_second": round(len(answers) / total, 3) if total else 0.0,
        "stages": {"decode": round(decode, 4), "caption": round(model, 4)},
        "queue_ms": _milliseconds(max((answer.queued for answer in answers), default=0.0)),
        "model_ms": _milliseconds(model),
        "total_ms": _milliseconds(total),
    }


def hello(service: Service) -> dict[str, Any]:
    """The first message of a stream."""
    card = {**public_card(service.card), "finds_boxes": service.finds_boxes}
    return {"type": "hello", "protocol": PROTOCOL, "model": card, "limits": service.limits.to_json()}


def regions_message(sequence: int, picture: Picture, answer: Answer, total: float, dropped: int) -> dict[str, Any]:
    """The regions of a frame; ``total`` are the seconds since it arrived, ``dropped`` the frames passed over."""
    described = answer.described
    regions = [
        {
            "id": number,
            "box": [round(value, 2) for value in region.box],
            "score": round(region.score, 4),
            "caption": region.caption,
        }
        for number, region in zip(described.numbers, described.regions)
    ]
    return {
        "type": "regions",
        "sequence": sequence,
        "width": picture.width,
        "height": picture.height,
        "regions": regions,
        "timing": {
            "queue_ms": _milliseconds(answer.queued),
            "model_ms": _milliseconds(answer.model),
            "total_ms": _milliseconds(total),
        },
        "dropped": dropped,
    }


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
