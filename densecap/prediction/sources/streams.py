"""Opening addresses: pictures, videos and cameras on the web, and streams that PyAV reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from densecap.data.images import decode_image
from densecap.errors import UserError
from densecap.prediction.sources.addresses import (
    PLAYLIST_SUFFIXES,
    VIDEO_SUFFIXES,
    is_address,
    is_picture_address,
    shown,
    suffix_of,
)
from densecap.prediction.sources.live import LiveStream
from densecap.prediction.sources.named import Named
from densecap.prediction.sources.pyav import decoded, opened, pixels
from densecap.prediction.sources.settings import SourceSettings
from densecap.prediction.sources.single import PictureAddress
from densecap.prediction.sources.video_file import Video
from densecap.prediction.sources.web import MULTIPART, asked, content_type, pictures_of_stream

if TYPE_CHECKING:
    from torch import Tensor

#: What servers call playlists.
_PLAYLISTS = ("application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "application/dash+xml")

_PAGES = ("text/html", "application/xhtml+xml")


def open_web(named: Named, settings: SourceSettings) -> PictureAddress | LiveStream | Video:
    """What is at an http or https address.

    What a list names, or ends like a picture, is a picture, fetched when it is read; of others the server is asked.
    Errors: UserError when it does not answer or has something else.
    """
    address, suffix = named.name, suffix_of(named.name)
    is_video = suffix in VIDEO_SUFFIXES | PLAYLIST_SUFFIXES
    picture = PictureAddress(shown(address), address, settings)
    if is_picture_address(address) or not (named.typed or is_video):
        return picture
    with asked(address, settings.timeout) as answer:
        kind = content_type(answer)
    if kind == MULTIPART:
        return LiveStream(address, partial(_camera, address, settings), settings)
    if kind in _PAGES:
        raise UserError(f"{shown(address)} is a page ({kind}), not a picture, video or stream")
    if is_video or kind.startswith("video/") or kind in _PLAYLISTS:
        return _video_or_broadcast(address, settings)
    return picture


def open_stream(address: str, settings: SourceSettings) -> LiveStream:
    """An address, or a device such as /dev/video0, that PyAV reads: tried once, so that a mistake is told at once.

    RTSP and RTMP cameras and video devices are untried: there was none to try. Errors: UserError when it does not open.
    """
    with opened(address, settings.timeout, **_options(address)):
        pass
    return LiveStream(address, partial(_broadcast, address, settings), settings)


def _video_or_broadcast(address: str, settings: SourceSettings) -> Video | LiveStream:
    with opened(address, settings.timeout) as container:
        ends = container.duration is not None
    if ends:
        return Video(address, settings)
    return LiveStream(address, partial(_broadcast, address, settings), settings)


def _camera(address: str, settings: SourceSettings) -> Iterator[Callable[[], Tensor]]:
    for data in pictures_of_stream(address, settings):
        yield partial(decode_image, data, shown(address))


def _broadcast(address: str, settings: SourceSettings) -> Iterator[Callable[[], Tensor]]:
    name = shown(address)
    damaged: list[str] = []
    with opened(address, settings.timeout, "SLICE", **_options(address)) as container:
        for frame in decoded(container, name, settings.timeout, damaged):
            yield partial(pixels, frame)


def _options(address: str) -> dict[str, Any]:
    """How ``opened`` opens an address or a device."""
    if not is_address(address):
        return {"form": "v4l2"}
    return {"options": {"rtsp_transport": "tcp"}} if address.lower().startswith("rtsp") else {}
