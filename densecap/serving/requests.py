"""``POST /v1/predict``: the pictures of one request, each with its own fate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request

from densecap.prediction.sources import image_ids
from densecap.serving.documents import prediction_document, request_timing
from densecap.serving.images import Picture
from densecap.serving.options import Options, from_query
from densecap.serving.refusals import Refused
from densecap.serving.service import Answer, Service
from densecap.serving.uploads import Upload, uploads
from densecap.structures import Prediction

#: Names in the query that are no options.
_NOT_OPTIONS = ("token",)


@dataclass(frozen=True)
class _Done:
    """One picture's answer, or why there is none."""

    name: str
    picture: Picture | None = None
    answer: Answer | None = None
    decode: float = 0.0
    refused: Refused | None = None


async def answer_request(service: Service, request: Request) -> dict[str, Any]:
    """The prediction document; errors: Refused when nothing could be described."""
    start = time.monotonic()
    query = {key: value for key, value in request.query_params.items() if key not in _NOT_OPTIONS}
    options = from_query(query, service.limits)
    options.settings(service.detection, service.generation)
    client = request.client.host if request.client else ""
    with service.room.place() as place:
        async with uploads(request, service.limits) as files:
            place.more(len(files) - 1)
            done = await asyncio.gather(*(_describe(service, file, options, client) for file in files))
        service.room.answered(len(done), time.monotonic() - start)
    return _document(service, options, done, time.monotonic() - start)


async def _describe(service: Service, file: Upload, options: Options, client: str) -> _Done:
    start = time.monotonic()
    try:
        picture = await service.decode(file.read, file.name, options)
        decoded = time.monotonic() - start
        answer = await service.describe(picture, options, client)
    except Refused as error:
        return _Done(file.name, refused=error)
    return _Done(file.name, picture, answer, decoded)


def _document(service: Service, options: Options, done: Sequence[_Done], total: float) -> dict[str, Any]:
    refused = [item.refused for item in done if item.refused is not None]
    if len(refused) == len(done):
        raise refused[0]
    good = [item for item in done if item.refused is None]
    names = image_ids([Path(item.name) for item in good])
    predictions = [_prediction(item, name) for item, name in zip(good, names)]
    errors = [{"file": item.name, "reason": _reason(item)} for item in done if item.refused is not None]
    answers = [item.answer for item in good if item.answer is not None]
    decode = sum(item.decode for item in good)
    timing = request_timing(answers, decode, total)
    return prediction_document(service, options, predictions, errors, timing)


def _prediction(item: _Done, image_id: str) -> Prediction:
    assert item.picture is not None and item.answer is not None
    regions = item.answer.described.regions
    return Prediction(image_id, item.name, item.picture.width, item.picture.height, regions)


def _reason(item: _Done) -> str:
    return "" if item.refused is None else item.refused.message.removeprefix(f"{item.name} ")
