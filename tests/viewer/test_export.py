"""The page as a folder, and the data in it."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from densecap.data.hdf5 import RegionFile
from densecap.errors import UserError
from densecap.evaluation.truth import Truth
from densecap.viewer import export_viewer
from densecap.viewer.collection import collect
from densecap.viewer.data_files import CHUNK, chunk_script
from densecap.viewer.frames import Frames
from densecap.viewer.site import PAGE
from densecap.viewer.truths import PreparedTruths
from tests.fakes import split as fakes

NASTY = '</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028&amp; "\U0001f600\udc80'


def _entry(number: int, file: str, captions=("a cat",)) -> dict:
    regions = [
        {"box": [1, 2, 30.26, 20], "score": 0.5 - 0.1 * rank, "caption": caption, "log_prob": -1.0}
        for rank, caption in enumerate(captions)
    ]
    return {"image_id": str(number), "file": file, "width": 40, "height": 30, "regions": regions}


def _call(script: bytes, function: str) -> list:
    text = script.decode("ascii").strip()
    head, tail = f"densecapData.{function}(", ");"
    assert text.startswith(head) and text.endswith(tail)
    return json.loads(f"[{text[len(head) : -len(tail)]}]")


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """The second of three photos is missing, the third broken."""
    Image.new("RGB", (40, 30), "red").save(tmp_path / "0.png")
    (tmp_path / "2.jpg").write_bytes(b"\xff\xd8\xff")
    images = [_entry(0, "0.png", ("a cat", NASTY)), _entry(1, "1.jpg"), _entry(2, "2.jpg", ())]
    page = export_viewer([fakes.write_own(tmp_path / "predictions.json", images)], tmp_path / "new" / "page")
    assert page == tmp_path / "new" / "page" / "index.html"
    return page.parent


def test_the_folder_holds_the_page_and_what_it_names(exported: Path) -> None:
    files = {str(path.relative_to(exported)) for path in exported.rglob("*") if path.is_file()}
    data = {"data/index.js", "data/chunk-0000.js", "images/000000.png", "thumbnails/000000.jpg"}
    assert files == {*PAGE, "theme.css", *data}
    assert [path.name for path in exported.parent.iterdir()] == ["page"]
    assert Image.open(exported / "thumbnails" / "000000.jpg").size == (40, 30)
    html = (exported / "index.html").read_text(encoding="utf-8")
    named = [part.split('"')[0] for mark in ('src="', 'href="') for part in html.split(mark)[1:]]
    assert {name for name in named if not name.startswith("#")} <= files


def test_the_page_names_no_other_place_and_runs_nothing_inline() -> None:
    folder = Path(__file__).parents[2] / "densecap" / "viewer" / "static"
    assert {path.name for path in folder.iterdir()} == set(PAGE)
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"//\w|https?:|@import|url\(", text), path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text), path
    html = (folder / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|<[^>]*\s(?:style|on\w+)=", html)
    assert html.count("<script") == html.count('<script src="')


def test_the_index_says_what_there_is(exported: Path) -> None:
    (index,) = _call((exported / "data" / "index.js").read_bytes(), "index")
    assert index["files"][0]["title"] == exported.parents[1].name and index["files"][0]["whole"] is False
    assert (index["truth"], index["scores"], index["most"], index["chunk"]) == (False, [0.4, 0.5], 2, CHUNK)
    assert index["images"] == [
        ["0", "0.png", 40, 30, ".png", 1],
        ["1", "1.jpg", 40, 30, 0, 0],
        ["2", "2.jpg", 40, 30, 0, 0],
    ]


def test_captions_survive_and_cannot_become_markup(exported: Path) -> None:
    script = (exported / "data" / "chunk-0000.js").read_bytes()
    number, images = _call(script, "chunk")
    assert number == 0 and not set(b"<>&") & set(script)
    assert images[0] == [[[[1, 2, 30.3, 20], 0.5, "a cat"], [[1, 2, 30.3, 20], 0.4, NASTY]], 0]
    assert images[2] == [[], 0]


def test_regions_come_in_chunks(tmp_path: Path) -> None:
    images = [_entry(number, f"{number}.jpg", [f"thing {number}"]) for number in range(2 * CHUNK + 1)]
    page = export_viewer([fakes.write_own(tmp_path / "p.json", images)], tmp_path / "page").parent
    scripts = sorted((page / "data").glob("chunk-*.js"))
    chunks = [_call(script.read_bytes(), "chunk") for script in scripts]
    assert [(number, len(own)) for number, own in chunks] == [(0, CHUNK), (1, CHUNK), (2, 1)]
    assert chunks[2][1][0][0][0][2] == f"thing {2 * CHUNK}"


def test_the_truth_and_a_second_file_are_in_the_data(tmp_path: Path) -> None:
    truth = Truth(RegionFile(fakes.write_split(tmp_path / "fake.h5")), "test")
    images = fakes.predictions_of(truth)
    paths = [fakes.write_own(tmp_path / "a.json", images), fakes.write_own(tmp_path / "b.json", images[:3])]
    collection = collect(paths, truths=PreparedTruths(truth))
    _, rows = _call(chunk_script(collection, 0), "chunk")
    assert [[len(part) if part else part for part in row] for row in rows] == [[5, 5, 5]] * 3 + [[5, 0, 5]] * 3
    assert rows[0][2][1] == [rows[0][2][1][0], None, truth.images[0].captions[1]]
    page = export_viewer(paths, tmp_path / "page", truth=PreparedTruths(truth)).parent
    assert len(list((page / "images").iterdir())) == 6  # as they are stored in the prepared file


def test_an_earlier_page_is_replaced_and_nothing_else(tmp_path: Path, exported: Path) -> None:
    left = exported.parent / f".{exported.name}.123.tmp"
    left.mkdir()
    path = fakes.write_own(tmp_path / "one.json", [_entry(7, "7.jpg")])
    export_viewer([path], exported)
    assert not left.exists() and not list((exported / "images").iterdir())
    (index,) = _call((exported / "data" / "index.js").read_bytes(), "index")
    assert [row[0] for row in index["images"]] == ["7"]
    with pytest.raises(UserError, match="holds something else than a page of the viewer"):
        export_viewer([path], tmp_path)
    assert path.is_file()
    (tmp_path / "empty").mkdir()
    assert export_viewer([path], tmp_path / "empty").is_file()


def test_an_export_that_fails_leaves_the_earlier_page(tmp_path: Path, exported: Path, monkeypatch) -> None:
    def fail(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("densecap.viewer.export.index_script", fail)
    before = (exported / "data" / "index.js").read_bytes()
    with pytest.raises(OSError, match="No space"):
        export_viewer([fakes.write_own(tmp_path / "one.json", [_entry(7, "7.jpg")])], exported)
    assert (exported / "data" / "index.js").read_bytes() == before
    assert [path.name for path in exported.parent.iterdir()] == ["page"]


def test_photos_of_another_folder_and_size(tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir()
    Image.new("RGB", (400, 300)).save(tmp_path / "moved" / "0.jpg")
    path = fakes.write_own(tmp_path / "p.json", [_entry(0, "/gone/0.jpg")])
    page = export_viewer([path], tmp_path / "page", images=tmp_path / "moved", max_side=100)
    assert Image.open(page.parent / "images" / "000000.jpg").size == (100, 75)


def test_pictures_of_a_video_are_taken_out(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "v.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10, width=64, height=48, pix_fmt="yuv420p")
        for number in range(8):
            picture = Image.new("RGB", (64, 48), (30 * number, 0, 0))
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
    images = [{**_entry(number, "v.mp4"), "frame": number} for number in (2, 7, 99)]
    path = fakes.write_own(tmp_path / "p.json", [*images, {**_entry(5, "gone.mp4"), "frame": 5}])
    frames = Frames(tmp_path / "pictures")
    found = [image.photo for image in collect([path], frames=frames).images]
    assert [photo is not None for photo in found] == [True, True, False, False] and not frames.problems
    reds = [Image.open(photo.path).getpixel((30, 20))[0] for photo in found[:2]]
    assert reds == pytest.approx([60, 210], abs=12)
    (tmp_path / "v.mp4").write_bytes(b"nothing")
    assert collect([path], frames=frames).images[0].photo is None
    assert len(frames.problems) == 1 and "v.mp4 cannot be opened" in frames.problems[0]
