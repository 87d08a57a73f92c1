"""Pictures from videos, cameras and the web, read from real files and real servers on this machine."""

import io
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densecap.errors import UserError
from densecap.prediction.sources import SourceSettings, Unread, open_source
from densecap.prediction.sources.multipart import boundary_in, parts
from tests.fakes.cameras import Camera, jpeg, part
from tests.fakes.http_files import FileServer

LEVELS = [20 * number for number in range(12)]


def write_video(path: Path, rate: int = 10) -> Path:
    """Twelve pictures, each of one grey."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.bit_rate = 2_000_000
        for level in LEVELS:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def level(unread: Unread) -> float:
    return float(unread.read().float().mean())


def test_a_video_gives_its_pictures_with_number_and_time(tmp_path: Path) -> None:
    source = open_source(write_video(tmp_path / "clip.mp4"))
    found = list(source)
    assert source.total == len(found) == 12
    assert [item.frame.index for item in found if item.frame] == list(range(12))
    assert [item.frame.seconds for item in found if item.frame] == pytest.approx([number / 10 for number in range(12)])
    assert [level(item) for item in found] == pytest.approx(LEVELS, abs=4)
    assert len({item.image_id for item in found}) == 12 and found[3].read().shape == (3, 48, 64)


def test_some_pictures_of_a_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4")
    source = open_source(path, SourceSettings(start=2, stride=3, max=3))
    assert source.total == 3
    found = list(source)
    assert [item.frame.index for item in found if item.frame] == [2, 5, 8]
    assert [level(item) for item in found] == pytest.approx([LEVELS[2], LEVELS[5], LEVELS[8]], abs=4)


def test_what_is_no_video_says_so(tmp_path: Path) -> None:
    pytest.importorskip("av")
    (tmp_path / "notes.mp4").write_bytes(b"these are only notes" * 20)
    with pytest.raises(UserError, match="notes.mp4 cannot be opened: it is damaged, or no video in a known format"):
        open_source(tmp_path / "notes.mp4")


def test_a_video_on_the_web(tmp_path: Path) -> None:
    content = write_video(tmp_path / "clip.mp4").read_bytes()
    with FileServer() as files:
        files.contents["/clip.mp4"] = content
        found = list(open_source(f"{files.address}/clip.mp4", SourceSettings(timeout=5)))
    assert [level(item) for item in found] == pytest.approx(LEVELS, abs=4)


@pytest.mark.parametrize("length", [True, False], ids=["with lengths", "without"])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
def test_parts_however_the_bytes_arrive(length: bool, end: bytes) -> None:
    pictures = [jpeg(10), jpeg(200, (3, 5)), b"\r\n--fram--frame", jpeg(90)]
    stream = b"".join(part(picture, length=length, end=end) for picture in pictures) + b"--frame--" + end
    if not length:
        pictures[2] = b""  # it begins with what only a length can tell from the end of a part
        stream = b"".join(part(picture, length=length, end=end) for picture in pictures if picture) + b"--frame--" + end
    wanted = [picture for picture in pictures if picture]
    for size in (1, 2, 7, 64, 1000, len(stream)):
        file = io.BytesIO(stream)
        assert list(parts(lambda count, file=file, size=size: file.read(min(count, size)), b"frame", 1 << 20)) == wanted
    for cut in (len(stream) - 12, len(stream) // 2):
        file = io.BytesIO(stream[:cut])
        with pytest.raises(ConnectionError):
            list(parts(file.read, b"frame", 1 << 20))


def test_boundaries_as_servers_announce_them() -> None:
    assert boundary_in("multipart/x-mixed-replace; boundary=frame") == b"frame"
    assert boundary_in('multipart/x-mixed-replace;boundary="--my frame"') == b"my frame"
    assert boundary_in("multipart/x-mixed-replace") is None
    with pytest.raises(UserError, match="a picture of 2000 bytes, and frames.max_bytes is 1000"):
        list(parts(io.BytesIO(part(bytes(2000))).read, b"frame", 1000))
    with pytest.raises(UserError, match="more than frames.max_bytes=1000"):
        list(parts(io.BytesIO(part(bytes(200_000), length=False)).read, b"frame", 1000))
    with pytest.raises(UserError, match="sends no (lines|pictures) where they should be"):
        list(parts(io.BytesIO(bytes(1 << 16)).read, b"frame", 1000))


def test_every_picture_of_a_buffered_camera_in_order() -> None:
    with Camera(LEVELS.copy(), interval=0.01) as camera:
        found = list(open_source(f"{camera.address}/mjpeg", SourceSettings(buffered=True)))
        assert [item.frame.index for item in found if item.frame] == list(range(len(found)))
        levels = [level(item) for item in found]
    sent = [20 * round(value / 20) for value in levels]
    assert levels == pytest.approx(sent, abs=3) and sent == sorted(set(sent)) and sent[-1] == LEVELS[-1]
    assert len(sent) >= len(LEVELS) - 3  # the answer that told what it is took the others before it was closed


def test_the_newest_picture_wins() -> None:
    with Camera(list(range(0, 240, 4)), interval=0.01) as camera:
        seen = []
        for item in open_source(f"{camera.address}/mjpeg"):
            seen.append((item.frame.index if item.frame else -1, camera.sent, level(item)))
            time.sleep(0.1)
    indices = [index for index, _, _ in seen]
    assert indices == sorted(set(indices)) and len(seen) < 30  # many were never looked at
    assert indices[-1] - indices[0] > 2 * len(seen)
    levels = [value for _, _, value in seen]
    assert levels == sorted(levels) and levels[-1] >= 225


def test_a_camera_that_breaks_off_is_asked_again() -> None:
    with Camera(LEVELS.copy(), breaks=[1, 3, 2]) as camera:
        found = list(open_source(f"{camera.address}/mjpeg", SourceSettings(buffered=True)))
        assert camera.connections >= 3
    assert [item.frame.index for item in found if item.frame] == list(range(len(found)))
    levels = [level(item) for item in found]
    assert levels == sorted(levels) and len(levels) >= 10


def test_a_camera_that_stays_away_is_given_up() -> None:
    with Camera(LEVELS.copy(), breaks=[1, 2]) as camera:
        arriving = iter(open_source(f"{camera.address}/mjpeg", SourceSettings(buffered=True, retries=0)))
        items = list(arriving)
        with pytest.raises(UserError, match=r"broke off after 2 pictures: .*closed the connection"):
            items[-1].read()
    assert len(items) == 3


def test_pictures_on_the_web_and_lists_of_them(tmp_path: Path) -> None:
    with FileServer() as files:
        files.contents |= {"/a.jpg": jpeg(50), "/b": jpeg(90), "/page.html": b"<html></html>"}
        (one,) = open_source(f"{files.address}/a.jpg")
        assert level(one) == pytest.approx(50, abs=2) and one.name == f"{files.address}/a.jpg"
        (tmp_path / "list.txt").write_text(f"{files.address}/a.jpg\n{files.address}/missing.jpg\n")
        first, missing = open_source(tmp_path / "list.txt")
        assert level(first) == pytest.approx(50, abs=2)
        with pytest.raises(UserError, match="missing.jpg cannot be fetched: the server answers 404 Not Found"):
            missing.read()
        files.cut.append(30)
        (broken,) = open_source(f"{files.address}/a.jpg")
        with pytest.raises(UserError, match=r"cannot be fetched: (it broke off after 30 of|incomplete)"):
            broken.read()
        (large,) = open_source(f"{files.address}/a.jpg", SourceSettings(max_bytes=100))
        with pytest.raises(UserError, match="is larger than frames.max_bytes=100"):
            large.read()
        address = files.address
    with pytest.raises(UserError, match="cannot be fetched: connection refused"):
        next(iter(open_source(f"{address}/a.jpg"))).read()


def test_folders_globs_lists_and_mixes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("photos/img2.jpg", "photos/img10.jpg", "photos/deep/c.png", "d.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(name)
    Path("list.txt").write_text("photos/img2.jpg\nd.jpg\n")

    def names(source: str | list[str]) -> list[str]:
        return [item.name for item in open_source(source)]

    assert names("photos") == ["photos/img2.jpg", "photos/img10.jpg"]
    assert names("photos/**") == ["photos/deep/c.png", "photos/img2.jpg", "photos/img10.jpg"]
    assert names("list.txt") == ["photos/img2.jpg", "d.jpg"]
    assert names(["d.jpg", "photos", "list.txt"]) == ["d.jpg", "photos/img2.jpg", "photos/img10.jpg"]
    assert names("d.jpg,photos/img2.jpg") == ["d.jpg", "photos/img2.jpg"]


def test_standard_input_is_a_picture_or_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(70))

    def given(content: bytes) -> list[Unread]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return list(open_source("-"))

    assert [level(item) for item in given(jpeg(30))] == pytest.approx([30], abs=2)
    assert [item.name for item in given(f"{tmp_path / 'a.jpg'}\n".encode())] == [str(tmp_path / "a.jpg")]
    with pytest.raises(UserError, match="standard input is empty"):
        given(b"")


def test_a_split_of_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(70))
    found = list(open_source("flickr8k:test", open_split=lambda data, split: [(f"{data} {split}", tmp_path / "a.jpg")]))
    assert [(item.image_id, level(item)) for item in found] == [("flickr8k test", pytest.approx(70, abs=2))]
    with pytest.raises(UserError, match="flickr8k:test is empty"):
        open_source("flickr8k:test", open_split=lambda data, split: [])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("gopher://host/a", "addresses begin with http, https, file, rtsp"),
        ("http:///a.jpg", "is no address: it names no host"),
        ("screen", "needs a screen: neither DISPLAY nor WAYLAND_DISPLAY is set"),
        ("screen:0,0,0,5", "has no area"),
        ("webcam", "is the browser's camera on a page of its own"),
        ("nothing.jpg", "names no file, no folder, and no pattern that matches one"),
    ],
)
def test_mistakes_are_one_sentence(monkeypatch: pytest.MonkeyPatch, source: str, message: str) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(UserError, match=message) as caught:
        next(iter(open_source(source))).read()
    assert "\n" not in str(caught.value)


@pytest.mark.long
def test_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("there is no Xvfb to show a screen")
    display = ":97"
    shown = subprocess.Popen([server, display, "-screen", "0", "320x240x24", "-noreset"], stderr=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("DISPLAY", display)
        for _ in range(100):  # its socket is there before it answers
            try:
                open_source("screen")
                break
            except UserError:
                time.sleep(0.2)
        found = list(open_source("screen", SourceSettings(interval=0.05, max=3)))
        assert [item.read().shape for item in found] == [(3, 240, 320)] * 3
        (part_of_it,) = open_source("screen:10,20,64,48", SourceSettings(max=1))
        assert part_of_it.read().shape == (3, 48, 64)
        with pytest.raises(UserError, match="reaches beyond the screen, which has 320 x 240 pixels"):
            open_source("screen:300,0,64,48")
    finally:
        shown.terminate()
        shown.wait()
    assert os.environ["DISPLAY"] == display
