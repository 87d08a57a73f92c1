"""Videos with described regions drawn on every frame: one MP4 for each video or stream of the source."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from PIL import Image

from densecap.errors import UserError
from densecap.prediction.caption_strip import describes_whole_image
from densecap.prediction.colours import SteadyColours
from densecap.prediction.pictures import DrawingStyle, digest_of
from densecap.prediction.sources import Frame
from densecap.structures import Prediction

if TYPE_CHECKING:
    from torch import Tensor

#: Ticks a second of the frames' times.
_TICKS = 1000

#: What is left for the caption below a whole picture, as a share of its height: captions differ in length.
_STRIP = 0.2


def import_av() -> ModuleType:
    """PyAV; errors: UserError when it is not installed."""
    try:
        import av
    except ImportError as error:
        raise UserError(
            "output.formats=[video] needs PyAV: install the extra, pip install 'densecap[video]', or pip install av"
        ) from error
    return av


class VideoOutput:
    """``videos/<name>.mp4`` of every video of a run, frames at the times they have in the source.

    Frames are drawn in the threads of a pool and encoded in the order they were added, in a thread of its own. A file
    appears under its name when its last frame is there.
    """

    name = "video"

    def __init__(self, folder: Path, style: DrawingStyle) -> None:
        import_av()
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.style, self.digest = folder, style, digest_of(asdict(style))
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._paths: dict[str, Path] = {}
        self._open: _OpenVideo | None = None
        self._colours = SteadyColours()
        self._source = ""
        self._ended: list[str] = []

    def path_of(self, source: str) -> Path:
        """Where the video of a source goes; distinct for each that was asked for."""
        if source not in self._paths:
            stem = re.sub(r"[^\w.-]+", "_", Path(source.partition("?")[0]).stem).strip("._") or "video"
            taken = {path.stem.casefold() for path in self._paths.values()}
            names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, len(taken) + 2))
            self._paths[source] = self.folder / f"{next(n for n in names if n.casefold() not in taken)}.mp4"
        return self._paths[source]

    @property
    def is_empty(self) -> bool:
        """Whether no frame of a video came along."""
        return not self._paths

    def add(self, pool: ThreadPoolExecutor, frame: Frame, prediction: Prediction, image: Tensor) -> Future[float]:
        """Draw and encode a (3, H, W) uint8 frame; the future gives the seconds it took, or OSError."""
        if frame.source != self._source:
            self._source, self._colours = frame.source, SteadyColours()
        colours = self._colours.of(prediction.regions[: self.style.num_to_draw])
        drawn = pool.submit(_draw, self.style, prediction, image, colours)
        return self._encoder.submit(self._encode, frame, self.path_of(frame.source), drawn)

    def take_ended(self) -> Iterator[str]:
        """Sources whose last frame is written, each once."""
        while self._ended:
            yield self._ended.pop(0)

    def close(self, complete: bool) -> None:
        """Finish the video under way; ``complete``: its last frame was added. Errors: OSError."""
        try:
            self._encoder.submit(self._end, complete).result()
        finally:
            self._encoder.shutdown()

    def _encode(self, frame: Frame, path: Path, drawn: Future[Image.Image]) -> float:
        picture = drawn.result()
        start = time.perf_counter()
        if self._open is None or self._open.source != frame.source:
            self._end(complete=True)
            self._open = _OpenVideo(frame.source, path, picture)
        self._open.add(picture, frame.seconds)
        return time.perf_counter() - start

    def _end(self, complete: bool) -> None:
        video, self._open = self._open, None
        if video is not None:
            video.close()
            if complete:
                self._ended.append(video.source)


def _draw(style: DrawingStyle, prediction: Prediction, image: Tensor, colours: list[str]) -> Image.Image:
    picture = style.draw(prediction, image, colours or ["#ffffff"])
    if not describes_whole_image(prediction):
        return picture
    enlarged = picture.width / prediction.width
    return _fitted(picture, (picture.width, round(prediction.height * enlarged * (1 + _STRIP))))


class _OpenVideo:
    """A file that frames are being added to; all are brought to the size of the first."""

    def __init__(self, source: str, path: Path, first: Image.Image) -> None:
        av = import_av()
        self.source, self.path = source, path
        self._temporary = path.with_name(f".{path.name}.tmp")
        self._size = tuple(max(2, side - side % 2) for side in first.size)  # the codec halves the colours' sides
        self._container = av.open(str(self._temporary), "w", format="mp4")
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        self._stream: Any = self._container.add_stream(codec, rate=30)
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, _TICKS)
        if codec == "mpeg4":
            self._stream.bit_rate = 8_000_000
        self._last = -1

    def add(self, picture: Image.Image, seconds: float) -> None:
        frame = import_av().VideoFrame.from_image(_fitted(picture, self._size))
        self._last = max(self._last + 1, round(seconds * _TICKS))
        frame.pts, frame.time_base = self._last, Fraction(1, _TICKS)
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def close(self) -> None:
        with suppress(EOFError):
            for packet in self._stream.encode():
                self._container.mux(packet)
        self._container.close()
        self._temporary.replace(self.path)


def _fitted(picture: Image.Image, size: tuple[int, ...]) -> Image.Image:
    """The upper left of a picture on white, in a given size."""
    if picture.size == size:
        return picture
    canvas = Image.new("RGB", (size[0], size[1]), "white")
    canvas.paste(picture)
    return canvas
