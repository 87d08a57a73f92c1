"""Addresses: what they point to as far as they tell by themselves, and what they are called in files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import url2pathname

from densecap.data.images import IMAGE_SUFFIXES
from densecap.errors import UserError
from densecap.prediction.sources.named import Named

#: Endings of videos; a file of another name is a picture.
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp"}
    | {".ogv", ".y4m", ".mjpg", ".mjpeg", ".h264", ".h265"}
)
#: Endings of playlists that point to the parts of a video or a broadcast.
PLAYLIST_SUFFIXES = frozenset({".m3u8", ".mpd"})

#: Schemes that PyAV reads.
STREAM_SCHEMES = frozenset(
    {"rtsp", "rtsps", "rtmp", "rtmps", "rtmpt", "udp", "tcp", "tls", "rtp", "srt", "mms", "mmsh", "mmst"}
)

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)

#: Longest part of an address in an id, in characters.
_LONGEST = 80


@dataclass(frozen=True)
class Login:
    """A user and password that stood in an address."""

    user: str
    password: str


def is_address(name: str) -> bool:
    return _ADDRESS.match(name) is not None


def name_address(address: str, typed: bool = True) -> Named:
    """What an address names. Errors: UserError for a scheme that is not read."""
    scheme = urlsplit(address).scheme.lower()
    if scheme in ("http", "https"):
        return Named("web", address, typed)
    if scheme in STREAM_SCHEMES:
        return Named("stream", address, typed)
    if scheme == "file":
        path = url2pathname(urlsplit(address).path)
        return Named("video" if suffix_of(path) in VIDEO_SUFFIXES else "picture", path, typed)
    raise UserError(f"source={address} cannot be read: addresses begin with http, https, file, rtsp, rtmp, udp or srt")


def suffix_of(name: str) -> str:
    """The ending of a path's or an address's file, in small letters."""
    return PurePosixPath(urlsplit(name).path if is_address(name) else name).suffix.lower()


def is_picture_address(address: str) -> bool:
    """Whether an address says by its ending that it is a picture."""
    return suffix_of(address) in IMAGE_SUFFIXES


def split_login(address: str) -> tuple[str, Login | None]:
    """The address without user and password, percent-encoded as servers want it, and these two.

    Errors: UserError for an address without a host.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UserError(f"{address} is no address: {error}") from None
    if not host:
        raise UserError(f"{address} is no address: it names no host")
    host = f"[{host}]" if ":" in host else host.encode("idna").decode() if not host.isascii() else host
    netloc = host if port is None else f"{host}:{port}"
    path, query = (quote(text, safe="%/:=&?~+!$,;'@()*[]") for text in (parts.path, parts.query))
    login = None if parts.username is None else Login(unquote(parts.username), unquote(parts.password or ""))
    return urlunsplit((parts.scheme, netloc, path, query, "")), login


def shown(address: str) -> str:
    """The address as it may stand in files and messages: without a password."""
    netloc = urlsplit(address).netloc
    login, at, host = netloc.rpartition("@")
    return address.replace(netloc, f"{login.partition(':')[0]}@{host}", 1) if at and ":" in login else address


def path_of_address(address: str) -> Path:
    """A path with the parts of an address, from which an id is made."""
    parts = urlsplit(address)
    pieces = [unquote(piece) for piece in parts.path.split("/") if piece not in ("", ".", "..")]
    if parts.query and pieces:
        pieces[-1] += f"_{parts.query}"
    return Path(*(_safe(piece) for piece in (parts.hostname or "address", *pieces)))


def _safe(piece: str) -> str:
    return re.sub(r"[^\w.-]+", "_", piece)[:_LONGEST].strip("._") or "_"
