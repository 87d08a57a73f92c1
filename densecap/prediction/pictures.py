"""Saving pictures with boxes and captions, in a thread beside the model."""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from torch import Tensor

from densecap.prediction.caption_strip import describes_whole_image, with_caption
from densecap.prediction.drawing import draw_regions, image_from_tensor
from densecap.structures import Prediction

#: Pictures waiting to be drawn at most; the model waits beyond that.
_AHEAD = 16


class PictureWriter:
    """Draws each prediction into ``folder/<image_id>.jpg``; ``num_to_draw`` best regions, all when None.

    The caption of a whole image stands below it.
    """

    def __init__(self, folder: Path, num_to_draw: int | None = None) -> None:
        self.folder, self.num_to_draw, self.seconds = folder, num_to_draw, 0.0
        folder.mkdir(parents=True, exist_ok=True)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="draw")
        self._waiting: deque[Future[None]] = deque()

    def add(self, prediction: Prediction, image: Tensor) -> None:
        """Draw on a (3, H, W) uint8 ``image``. Errors: OSError when an earlier picture could not be saved."""
        if len(self._waiting) >= _AHEAD:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(self._save, prediction, image))

    def close(self) -> None:
        """Wait for the pictures under way. Errors: OSError when one could not be saved."""
        self._pool.shutdown(wait=True)
        while self._waiting:
            self._waiting.popleft().result()

    def _save(self, prediction: Prediction, image: Tensor) -> None:
        start = time.perf_counter()
        picture = image_from_tensor(image)
        if describes_whole_image(prediction):
            picture = with_caption(picture, prediction.regions[0].caption)
        else:
            picture = draw_regions(picture, prediction.regions, self.num_to_draw)
        path = self.folder / f"{prediction.image_id}.jpg"
        temporary = self.folder / f".{os.getpid()}.tmp"  # one thread, so one name is enough
        picture.save(temporary, format="JPEG", quality=92)
        temporary.replace(path)
        self.seconds += time.perf_counter() - start
