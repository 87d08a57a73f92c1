"""PyAV, which decodes videos: opening, the pictures of a container, and their pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from densecap.data.pixels import image_of_pixels
from densecap.errors import UserError
from densecap.prediction.sources.addresses import is_address, shown

if TYPE_CHECKING:
    from torch import Tensor


def import_av(name: str) -> ModuleType:
    """PyAV for reading ``name``; errors: UserError when it is not installed."""
    try:
        import av
    except ImportError as error:
        raise UserError(
            f"{name} needs PyAV to be read: install the extra, pip install 'densecap[video]', or pip install av"
        ) from error
    return av


@contextmanager
def opened(
    address: str, timeout: float, threads: str = "AUTO", form: str | None = None, options: dict[str, str] | None = None
) -> Iterator[Any]:
    """The container of a path or address with its video stream ready to be decoded.

    ``threads`` "AUTO" is fastest, "SLICE" keeps no pictures back. ``form`` is FFmpeg's name of the format where it
    cannot be told, ``options`` are FFmpeg's. Errors: UserError when it cannot be opened or holds no video.
    """
    name = shown(address)
    av = import_av(name)
    place = address if is_address(address) or form else f"file:{address}"
    try:
        container = av.open(place, format=form, options=options or {}, timeout=timeout if is_address(address) else None)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UserError(f"{name} cannot be opened: {reason_of(error, timeout)}") from None
    with container:
        if not container.streams.video:
            raise UserError(f"{name} holds no video")
        container.streams.video[0].thread_type = threads
        yield container


def decoded(container: Any, name: str, timeout: float, damaged: list[str]) -> Iterator[Any]:
    """The pictures of a container's video; what its damaged packets say goes to ``damaged``.

    Errors: UserError when it breaks off.
    """
    av = import_av(name)
    packets = container.demux(container.streams.video[0])
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            raise UserError(f"{name} broke off: {reason_of(error, timeout)}") from None
        if packet is None:
            return
        try:
            yield from packet.decode()
        except av.FFmpegError as error:
            damaged.append(reason_of(error, timeout))


def pixels(frame: Any) -> Tensor:
    """(3, H, W) uint8 RGB of a decoded picture, turned as its file says."""
    quarters = round(frame.rotation / 90) % 4  # counterclockwise
    return image_of_pixels(np.rot90(frame.to_ndarray(format="rgb24"), quarters))


def reason_of(error: Exception, timeout: float) -> str:
    """What went wrong, in few words, without the address, which may hold a password."""
    av = import_av("a video")
    if isinstance(error, av.error.ExitError | TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(error, av.error.InvalidDataError):
        return "it is damaged, or no video in a known format"
    return str(getattr(error, "strerror", None) or type(error).__name__)
