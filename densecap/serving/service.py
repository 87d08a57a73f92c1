"""What all connections share: the model's workers, the decoding threads, the limits and what is said of the model."""

from __future__ import annotations

import asyncio
import io
import logging
import os
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from PIL import Image

from densecap.errors import UserError
from densecap.models.captioner import Captioner
from densecap.models.generation import GenerationSettings
from densecap.models.settings import DetectionSettings
from densecap.serving.admission import Rate, Room
from densecap.serving.batching import Waiting, Work, Worker
from densecap.serving.describing import Described, Describer, Query
from densecap.serving.images import Picture, read_picture
from densecap.serving.limits import Limits
from densecap.serving.options import Options, check_boxes
from densecap.serving.refusals import Refused
from densecap.serving.tracking import Tracker

Value = TypeVar("Value")

#: Seconds that a batch under way gets when the server stops.
_LAST_BATCH = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What came of one picture; ``queued`` and ``model`` are seconds."""

    described: Described
    queued: float
    model: float


class Service:
    """Describes pictures on one or several copies of a model. ``card`` is what predictions.json says of the model."""

    def __init__(
        self,
        models: Sequence[Captioner],
        card: dict[str, Any],
        detection: DetectionSettings,
        generation: GenerationSettings,
        limits: Limits | None = None,
        batch_size: int = 8,
        precision: str = "fp32",
    ) -> None:
        if not models[0].needs_pixels:
            raise UserError(
                "this model knows images by their ids, so nothing can be sent to it: serve one with a backbone"
            )
        self.limits = limits or Limits()
        most = min(detection.max_detections or self.limits.max_detections, self.limits.max_detections)
        self.detection, self.generation = replace(detection, max_detections=most), generation
        self.card, self.finds_boxes = card, models[0].finds_boxes
        self.image_size, self._filter = models[0].image_size, models[0].conventions.resize_filter
        self.waiting: Waiting[Query, Described] = Waiting()
        self.describers = [Describer(model, precision) for model in models]
        self.workers = [Worker(self.waiting, one, batch_size, one.recover) for one in self.describers]
        self.decoders = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="decode")
        self.room, self.rate = Room(self.limits.queue_length), Rate(self.limits.requests_per_minute)
        self.streams = 0
        self.described = 0

    def warm_up(self) -> None:
        """Read a blank picture and describe it on every device, since the first time is slow; before ``start``.

        Errors: UserError for a model whose figures are not finite.
        """
        blank = read_picture(_blank_jpeg(), "a blank picture", self.image_size, self._filter, self.limits.max_pixels)
        for describer in self.describers:
            describer([Query(blank, self.detection, self.generation)])

    def start(self) -> None:
        """Begin to work."""
        for worker in self.workers:
            worker.start()

    def stop(self) -> None:
        """Let the threads end; what still waits is cancelled."""
        for work in self.waiting.close():
            work.future.cancel()
        self.decoders.shutdown(wait=False, cancel_futures=True)
        for worker in self.workers:
            worker.thread.join(_LAST_BATCH)

    async def decode(self, read: Callable[[], bytes], name: str, options: Options) -> Picture:
        """The picture in what ``read`` gives, in a thread; errors: Refused."""
        picture = await self.in_thread(
            lambda: read_picture(read(), name, self.image_size, self._filter, self.limits.max_pixels)
        )
        if options.boxes is not None:
            check_boxes(options.boxes, picture.width, picture.height)
        return picture

    async def in_thread(self, call: Callable[[], Value]) -> Value:
        return await asyncio.get_running_loop().run_in_executor(self.decoders, call)

    async def describe(
        self, picture: Picture, options: Options, client: Hashable, tracker: Tracker | None = None
    ) -> Answer:
        """Describe a picture when it is the client's turn; errors: Refused."""
        detection, generation = options.settings(self.detection, self.generation)
        if tracker is not None:
            generation = replace(generation, num_captions=1)
        query = Query(picture, detection, generation, options.boxes, tracker)
        work: Work[Query, Described] = Work(query, client, query.group)
        try:
            self.waiting.put(work)
            described = await asyncio.wrap_future(work.future)
        except UserError as error:
            raise Refused(422, str(error)) from error
        except torch.OutOfMemoryError as error:
            raise Refused(503, "the device has too little memory for this picture at the moment", 1) from error
        except Exception as error:
            log.exception("the model failed on a picture")
            raise Refused(500, "the model failed on this picture") from error
        self.described += 1
        return Answer(described, work.started - work.arrived, work.finished - work.started)


def _blank_jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), (128, 128, 128)).save(file, "JPEG")
    return file.getvalue()
