"""The tables of the caption data sets, archives of other kinds, what is given out on request."""

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from densecap.commands import download
from densecap.data.downloads import table
from densecap.data.downloads.archives import unpack
from densecap.data.downloads.fetching import fetch_all
from densecap.data.downloads.remote_file import RemoteFile
from densecap.data.downloads.table import DOWNLOADS, files_of
from densecap.errors import UserError
from tests.data.downloads.test_downloads import sha256, zipped
from tests.fakes.http_files import Files, FileServer

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "splits"


def tarred(files: dict[str, bytes], mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("top/link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return buffer.getvalue()


def files_below(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def no_progress(done: int, total: int) -> None:
    assert done <= total


@pytest.mark.parametrize(("suffix", "mode"), [("tgz", "w:gz"), ("tar.bz2", "w:bz2"), ("tar.gz", "w:gz"), ("tar", "w")])
def test_a_tree_keeps_its_folders_without_the_one_around_them(tmp_path: Path, suffix: str, mode: str) -> None:
    archive = tmp_path / f"a.{suffix}"
    archive.write_bytes(
        tarred({"top/images/00/1.jpg": b"one", "./top/text/1.eng": b"1", "top/../../x.txt": b"x"}, mode)
    )
    (tmp_path / "root").mkdir()
    unpack(archive, tmp_path / "root" / "iapr", "tree", no_progress)
    assert files_below(tmp_path / "root") == {
        "iapr/images/00/1.jpg": b"one",
        "iapr/text/1.eng": b"1",
        "iapr/x.txt": b"x",
    }
    assert not (tmp_path / "x.txt").exists()


def test_members_come_beside_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "mine.json").write_bytes(b"mine")
    archive = tmp_path / "a.zip"
    archive.write_bytes(
        zipped({"annotations/captions.json": b"c", "annotations/instances.json": b"i", "__MACOSX/captions.json": b"-"})
    )
    unpack(archive, tmp_path / "annotations", "members", no_progress, ("captions.json",))
    assert files_below(tmp_path / "annotations") == {"mine.json": b"mine", "captions.json": b"c"}
    with pytest.raises(UserError, match="does not hold lists.json as expected"):
        unpack(archive, tmp_path / "annotations", "members", no_progress, ("captions.json", "lists.json"))
    archive.with_name("b.tgz").write_bytes(b"\x1f\x8bno archive")
    with pytest.raises(UserError, match="b.tgz is damaged"):
        unpack(archive.with_name("b.tgz"), tmp_path / "c", "tree", no_progress)
    assert {path.name for path in tmp_path.iterdir()} == {"annotations", "a.zip", "b.tgz"}


@pytest.fixture
def server() -> Iterator[Files]:
    with FileServer() as files:
        yield files


@contextmanager
def no_bar(description: str) -> Iterator[object]:
    yield lambda done, total: None


def test_members_are_fetched_again_when_one_is_missing(server: Files, tmp_path: Path) -> None:
    archive = zipped({"a.json": b"a", "b.json": b"b", "c.json": b"c"})
    server.contents["/lists.zip"] = archive
    file = RemoteFile(
        "splits",
        "lists.zip",
        ".",
        (f"{server.address}/lists.zip",),
        len(archive),
        sha256(archive),
        "members",
        (),
        ("a.json", "b.json"),
    )
    said: list[str] = []
    for _ in range(2):
        fetch_all([file], tmp_path, False, said.append, no_bar)
    assert said[0] == "a.json and b.json are complete, with the published checksum"
    assert said[1] == "a.json and b.json are there already" and len(server.requests) == 1
    (tmp_path / "b.json").unlink()
    fetch_all([file], tmp_path, False, said.append, no_bar)
    assert len(server.requests) == 2 and set(files_below(tmp_path)) == {"a.json", "b.json", "checksums.json"}


def test_what_is_given_out_on_request_is_said(
    server: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.contents["/list.txt"] = b"1"
    monkeypatch.setitem(
        table.DOWNLOADS, "flickr30k", (RemoteFile("splits", "list.txt", "list.txt", (f"{server.address}/list.txt",)),)
    )
    data = {"name": "flickr30k", "version": None, "root": str(tmp_path)}
    download.run(OmegaConf.create({"data": data, "only": None, "force": False}))
    said = capsys.readouterr().err
    assert "the photos of Flickr30K are given out on request" in said and f"into {tmp_path}" in said
    assert "all but what is given out on request is in" in said


def test_every_table_is_sound() -> None:
    for name in ("coco", "flickr8k", "flickr30k", "iapr_tc12", "karpathy"):
        for file in DOWNLOADS[name]:
            assert file.addresses and all(address.endswith(f"/{file.name}") for address in file.addresses)
            assert (file.unpack == "members") == bool(file.members)
            assert file.unpack is not None or file.target == file.name
            assert file.sha256 is None or len(file.sha256) == 64


def test_coco_by_year_and_the_server_test_images_by_name_alone() -> None:
    names = [file.name for file in files_of("coco", "2014")]
    assert names == [
        "MRNN_split_dict.npy",
        "caption_datasets.zip",
        "annotations_trainval2014.zip",
        "val2014.zip",
        "train2014.zip",
    ]
    assert [file.target for file in files_of("coco", "2017", ["images"])] == ["val2017", "train2017"]
    named = files_of("coco", "2014", ["test_images", "test_list"])
    assert [file.products for file in named] == [["annotations/image_info_test2014.json"], ["test2014"]]


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_the_lists_of_entities_are_the_ones_we_know() -> None:
    for file in files_of("flickr30k", None, ["splits"]):
        if file.unpack is None:
            content = (SHARED / "flickr30k_entities" / file.name).read_bytes()
            assert (len(content), sha256(content)) == (file.size, file.sha256)
