"""Videos with drawn frames: times, size, order, and colours that stay."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from densecap.errors import UserError
from densecap.prediction import video as module
from densecap.prediction.colours import SteadyColours
from densecap.prediction.drawing import PALETTE
from densecap.prediction.journal import Journal
from densecap.prediction.loop import Outcome, Outputs, predict_files
from densecap.prediction.pictures import DrawingStyle
from densecap.prediction.sources import Frame, Unread
from densecap.prediction.video import VideoOutput
from densecap.structures import Prediction, RegionPrediction

av = pytest.importorskip("av", reason="PyAV is not installed")


def frames_of(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        return [(float(frame.time), frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def region(box, caption="a cat") -> RegionPrediction:
    return RegionPrediction(box, 0.5, caption, -1.0)


class Clip:
    """Frames of one grey each, 20 brighter than the one before, at uneven times."""

    def __init__(self, path: Path, count: int, size: tuple[int, int] = (480, 640)) -> None:
        path.write_bytes(b"stands for a video")
        self.path, self.total, self.size = path, count, size
        self.reads: list[int] = []

    def __iter__(self):
        for index in range(self.total):
            frame = Frame(str(self.path), index, 0.1 * index**1.5)
            yield Unread(f"{self.path.stem}-{index:06}", str(self.path), lambda index=index: self.read(index), frame)

    def read(self, index: int) -> torch.Tensor:
        self.reads.append(index)
        return torch.full((3, *self.size), 20 * index, dtype=torch.uint8)


class Clips(list):
    total = None

    def __iter__(self):
        for clip in super().__iter__():
            yield from clip


def describe(items, images):
    return [[region((300.0, 200.0, 400.0, 300.0))] for _ in images]


def go(folder: Path, source, caption=describe) -> Outcome:
    outcome = Outcome()
    outputs = Outputs(video=VideoOutput(folder / "videos", DrawingStyle()), journal=Journal(folder, {}))
    predict_files(caption, source, outputs, 2, outcome)
    return outcome


def test_one_file_a_video_with_the_frames_at_their_times(tmp_path: Path) -> None:
    first, second = Clip(tmp_path / "a.mp4", 6), Clip(tmp_path / "b.mp4", 3, (120, 161))
    go(tmp_path / "out", Clips([first, second]))
    assert sorted(path.name for path in (tmp_path / "out" / "videos").iterdir()) == ["a.mp4", "b.mp4"]
    frames = frames_of(tmp_path / "out" / "videos" / "a.mp4")
    assert [round(time, 3) for time, _ in frames] == [round(0.1 * index**1.5, 3) for index in range(6)]
    for index, (_, picture) in enumerate(frames):
        assert picture.shape == (480, 640, 3)
        assert abs(picture[20, 20].astype(int) - 20 * index).max() < 8, "frames are in order"
        assert np.ptp(picture[200:300, 296:304].astype(int)) > 40, "a box is drawn"
    assert frames_of(tmp_path / "out" / "videos" / "b.mp4")[0][1].shape == (360, 482, 3), "even sides, enlarged"


def test_a_finished_video_is_not_read_again_and_one_that_was_broken_off_is(tmp_path: Path) -> None:
    clip = Clip(tmp_path / "a.mp4", 5)
    go(tmp_path / "out", clip)
    clip.reads.clear()
    outcome = go(tmp_path / "out", clip)
    assert clip.reads == [] and outcome.taken_over == 5
    (tmp_path / "out" / "videos" / "a.mp4").unlink()
    outcome = go(tmp_path / "out", clip, caption=None)
    assert clip.reads == [0, 1, 2, 3, 4] and outcome.images == 0, "drawn anew, not described anew"
    assert len(frames_of(tmp_path / "out" / "videos" / "a.mp4")) == 5


def test_what_ctrl_c_leaves_can_be_watched_and_is_made_whole_later(tmp_path: Path) -> None:
    clip, seen = Clip(tmp_path / "a.mp4", 8), []

    def impatient(items, images):
        seen.extend(item.frame.index for item in items)
        if len(seen) == 6:
            raise KeyboardInterrupt
        return describe(items, images)

    assert go(tmp_path / "out", clip, impatient).stopped == "interrupt"
    assert len(frames_of(tmp_path / "out" / "videos" / "a.mp4")) == 4
    seen.clear()
    outcome = go(tmp_path / "out", clip, lambda items, images: (seen.extend(items), describe(items, images))[1])
    assert [item.frame.index for item in seen] == [4, 5, 6, 7] and outcome.complete
    assert len(frames_of(tmp_path / "out" / "videos" / "a.mp4")) == 8


def test_captions_of_whole_pictures_have_room_below_frames_of_one_size(tmp_path: Path) -> None:
    words = iter(["short", "a much longer caption " * 12, "short again"] * 2)
    whole = lambda items, images: [[region((0.0, 0.0, 640.0, 480.0), next(words))] for _ in images]  # noqa: E731
    go(tmp_path / "out", Clip(tmp_path / "a.mp4", 3), whole)
    assert {picture.shape for _, picture in frames_of(tmp_path / "out" / "videos" / "a.mp4")} == {(576, 640, 3)}


def test_names_are_safe_and_distinct(tmp_path: Path) -> None:
    output = VideoOutput(tmp_path, DrawingStyle())
    sources = [
        "x/clip.mp4",
        "y/clip.avi",
        "rtsp://cam:554/live stream?user=a/b",
        "screen",
        "x/clip.mp4",
        "y/../..",
        "Clip.mov",
    ]
    names = [output.path_of(source).name for source in sources]
    assert names == ["clip.mp4", "clip-2.mp4", "live_stream.mp4", "screen.mp4", "clip.mp4", "video.mp4", "Clip-3.mp4"]
    output.close(complete=True)


def test_frames_of_a_stream_that_come_at_one_time_are_all_kept(tmp_path: Path) -> None:
    output = VideoOutput(tmp_path, DrawingStyle())
    with ThreadPoolExecutor(2) as pool:
        for index in range(4):
            image = torch.zeros(3, 480, 640, dtype=torch.uint8)
            output.add(pool, Frame("cam", index, 0.0), Prediction("f", "cam", 640, 480), image)
    output.close(complete=True)
    assert list(output.take_ended()) == ["cam"] and len(frames_of(tmp_path / "cam.mp4")) == 4


def test_without_pyav_there_is_a_sentence(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(UserError, match=r"needs PyAV.*densecap\[video\]"):
        VideoOutput(tmp_path, DrawingStyle())
    assert module.import_av


def test_colours_follow_their_boxes() -> None:
    colours = SteadyColours()
    left, right, below = (0, 0, 10, 10), (50, 0, 60, 10), (0, 50, 10, 60)
    assert colours.of([region(left), region(right)]) == [PALETTE[0], PALETTE[1]]
    moved = (1, 1, 11, 11)
    assert colours.of([region(right), region(below), region(moved)]) == [PALETTE[1], PALETTE[2], PALETTE[0]]
    assert colours.of([region(below)]) == [PALETTE[2]]
    assert colours.of([region(left), region(below)]) == [PALETTE[0], PALETTE[2]], "a colour that is free is used again"
    assert len(set(colours.of([region((20 * index, 0, 20 * index + 9, 9)) for index in range(12)]))) == 12
    assert colours.of([]) == []


def test_of_two_boxes_on_one_the_nearer_keeps_its_colour() -> None:
    colours = SteadyColours()
    colours.of([region((0, 0, 10, 10))])
    assert colours.of([region((2, 0, 12, 10)), region((1, 0, 11, 10))]) == [PALETTE[1], PALETTE[0]]
