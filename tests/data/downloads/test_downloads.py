"""Downloads against a local server: going on after a cut, checks, further addresses, unpacking, clear refusals."""

import hashlib
import io
import json
import random
import socket
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from densecap.commands import download
from densecap.data.downloads import table, transfer
from densecap.data.downloads.fetching import fetch_all
from densecap.data.downloads.table import VISUAL_GENOME, RemoteFile, files_of
from densecap.data.splits import DENSECAP_SPLITS_SHA256
from densecap.errors import UserError
from tests.fakes.http_files import Files, FileServer

CONTENT = random.Random(1).randbytes(300_000)
OTHER = random.Random(2).randbytes(300_000)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(transfer, "CHUNK", 10_000)


@pytest.fixture
def server() -> Iterator[Files]:
    with FileServer() as files:
        files.contents["/list.json"] = CONTENT
        yield files


def the_list(server: Files, **facts: object) -> RemoteFile:
    return replace(RemoteFile("list", "list.json", "list.json", (f"{server.address}/list.json",)), **facts)


class Talk:
    """Collects what is said and shown."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.bars: list[tuple[str, list[tuple[int, int | None]]]] = []

    @contextmanager
    def bar(self, description: str) -> Iterator[transfer.OnProgress]:
        self.bars.append((description, []))
        yield lambda done, total: self.bars[-1][1].append((done, total))


def fetch(files: list[RemoteFile], root: Path, force: bool = False) -> Talk:
    talk = Talk()
    fetch_all(files, root, force, talk.said.append, talk.bar)
    return talk


def left(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()} - {"checksums.json"}


def test_a_file_arrives_with_progress_and_is_not_fetched_twice(server: Files, tmp_path: Path) -> None:
    talk = fetch([the_list(server, size=len(CONTENT), sha256=sha256(CONTENT))], tmp_path)
    assert (tmp_path / "list.json").read_bytes() == CONTENT
    assert left(tmp_path) == {"list.json"}
    steps = talk.bars[0][1]
    assert talk.bars[0][0] == "fetching list.json" and steps[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in steps] == sorted(done for done, _ in steps) and len(steps) == 30
    assert "published checksum" in talk.said[-1]
    again = fetch([the_list(server)], tmp_path)
    assert len(server.requests) == 1 and again.said == ["list.json is there already"]


def test_a_broken_connection_is_continued_at_once(server: Files, tmp_path: Path) -> None:
    server.cut = [100_000, 50_000]
    fetch([the_list(server, sha256=sha256(CONTENT))], tmp_path)
    assert (tmp_path / "list.json").read_bytes() == CONTENT
    assert [piece for _, piece in server.requests] == [None, "bytes=100000-", "bytes=150000-"]
    assert server.sent == len(CONTENT)  # nothing twice


def test_the_next_run_goes_on_with_what_is_there(
    server: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "PAUSES", ())
    server.cut = [100_000]
    with pytest.raises(UserError, match="list.json could not be downloaded: 127.0.0.1:.* broke off"):
        fetch([the_list(server)], tmp_path)
    assert left(tmp_path) == {"list.json.part", "list.json.part.json"}
    talk = fetch([the_list(server)], tmp_path)
    assert (tmp_path / "list.json").read_bytes() == CONTENT and server.sent == len(CONTENT)
    assert talk.bars[0][1][0][0] > 100_000
    assert left(tmp_path) == {"list.json"}


@pytest.mark.parametrize("change", ["file changed", "no ranges", "no etags", "too much there"])
def test_pieces_of_different_files_are_never_put_together(server: Files, tmp_path: Path, change: str) -> None:
    server.cut = [100_000, 0, 0, 0]
    server.etags = change != "no etags"
    with pytest.raises(UserError):
        fetch([the_list(server)], tmp_path)
    server.cut = []
    if change == "file changed":
        server.contents["/list.json"] = OTHER
    if change == "too much there":
        server.contents["/list.json"] = OTHER[:50_000]
    server.ranges = change != "no ranges"
    fetch([the_list(server)], tmp_path)
    assert (tmp_path / "list.json").read_bytes() == server.contents["/list.json"]


def test_a_wrong_beginning_is_noticed_by_the_checksum_and_fetched_anew(server: Files, tmp_path: Path) -> None:
    (tmp_path / "list.json.part").write_bytes(OTHER[:120_000])
    fetch([the_list(server, sha256=sha256(CONTENT))], tmp_path)
    assert (tmp_path / "list.json").read_bytes() == CONTENT
    assert [piece for _, piece in server.requests] == ["bytes=120000-", None]


def test_the_next_address_is_tried_and_continues_what_the_first_began(server: Files, tmp_path: Path) -> None:
    addresses = tuple(f"{server.address}/{name}" for name in ("missing", "broken", "list.json"))
    server.errors["/broken"] = 503
    fetch([the_list(server, addresses=addresses)], tmp_path)
    assert (tmp_path / "list.json").read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == ["/missing", "/broken", "/list.json"]


def test_a_wrong_checksum_or_size_is_refused_and_the_next_address_asked(server: Files, tmp_path: Path) -> None:
    server.contents |= {"/wrong": OTHER, "/short": CONTENT[:1000]}
    addresses = tuple(f"{server.address}/{name}" for name in ("wrong", "short", "list.json"))
    wanted = the_list(server, addresses=addresses, sha256=sha256(CONTENT), size=len(CONTENT))
    fetch([wanted], tmp_path)
    assert (tmp_path / "list.json").read_bytes() == CONTENT
    with pytest.raises(UserError) as error:
        fetch([replace(wanted, addresses=addresses[:2])], tmp_path / "other")
    message = str(error.value)
    assert f"delivers a file with sha256 {sha256(OTHER)}, not the one published, {sha256(CONTENT)}" in message
    assert "has 1,000 bytes instead of 300,000" in message
    assert left(tmp_path / "other") == set()


def test_an_unknown_checksum_is_recorded_and_binding_from_then_on(server: Files, tmp_path: Path) -> None:
    talk = fetch([the_list(server)], tmp_path)
    said = f"list.json is unverified (first download, recorded in checksums.json): its sha256 is {sha256(CONTENT)}"
    assert said in talk.said
    row = json.loads((tmp_path / "checksums.json").read_text())["list.json"]
    assert row == {"sha256": sha256(CONTENT), "bytes": len(CONTENT), "verified": False}
    assert "unverified" not in " ".join(fetch([the_list(server)], tmp_path, force=True).said)
    server.contents["/list.json"] = OTHER
    with pytest.raises(UserError, match="not the one noted in checksums.json at the first download"):
        fetch([the_list(server)], tmp_path, force=True)
    assert (tmp_path / "list.json").read_bytes() == CONTENT  # a failed attempt replaces nothing


def test_without_network_one_sentence_says_everything(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    addresses = (f"http://127.0.0.1:{port}/a/list.json", "http://no-such-host.invalid/list.json")
    with pytest.raises(UserError) as error:
        fetch([RemoteFile("list", "list.json", "list.json", addresses)], tmp_path)
    message = str(error.value)
    assert message.count("cannot be reached") == 2 and "\n" not in message
    for part in ("list.json could not be downloaded", *addresses, str(tmp_path / "list.json")):
        assert part in message


def test_archives_become_folders_and_files(server: Files, tmp_path: Path) -> None:
    pictures = {"VG_100K/1.jpg": b"one", "VG_100K/2.jpg": b"two", "VG_100K/Thumbs.db": b"-", "__MACOSX/._1.jpg": b"-"}
    server.contents |= {"/images.zip": zipped(pictures), "/regions_v9.json.zip": zipped({"deep/regions.json": b"[]"})}
    archives = [
        RemoteFile("images", "images.zip", "VG_100K", (f"{server.address}/images.zip",), unpack="images"),
        RemoteFile("r", "regions_v9.json.zip", "r.json", (f"{server.address}/regions_v9.json.zip",), unpack="file"),
    ]
    talk = fetch(archives, tmp_path)
    assert {path.name: path.read_bytes() for path in (tmp_path / "VG_100K").iterdir()} == {
        "1.jpg": b"one",
        "2.jpg": b"two",
    }
    assert (tmp_path / "r.json").read_bytes() == b"[]"
    assert left(tmp_path) == {"VG_100K", "r.json"}
    assert ("unpacking images.zip", [(3, 6), (6, 6)]) in talk.bars
    other_version = replace(archives[1], name="regions_v8.json.zip", addresses=(f"{server.address}/images.zip",))
    assert fetch(archives, tmp_path).said == ["VG_100K is there already", "r.json is there already"]
    with pytest.raises(UserError, match="regions_v8.json.zip does not hold one file as expected"):
        fetch([other_version], tmp_path)
    assert (tmp_path / "r.json").read_bytes() == b"[]"


def test_an_archive_fetched_by_hand_is_unpacked_and_kept(server: Files, tmp_path: Path) -> None:
    archive = zipped({"a/1.jpg": b"one"})
    images = RemoteFile("images", "images.zip", "A", ("http://no-such-host.invalid/images.zip",), unpack="images")
    (tmp_path / "images.zip").write_bytes(archive)
    with pytest.raises(UserError, match="images.zip is not the published file"):
        fetch([replace(images, sha256=sha256(b"another"))], tmp_path)
    fetch([replace(images, sha256=sha256(archive))], tmp_path)
    assert (tmp_path / "A" / "1.jpg").read_bytes() == b"one" and (tmp_path / "images.zip").exists()


def test_nothing_leaves_the_folder_and_a_damaged_archive_leaves_nothing(server: Files, tmp_path: Path) -> None:
    server.contents["/images.zip"] = zipped({"../../evil.jpg": b"x", "/abs/olute.jpg": b"y"})
    images = RemoteFile("images", "images.zip", "A", (f"{server.address}/images.zip",), unpack="images")
    root = tmp_path / "deep" / "root"
    fetch([images], root)
    assert {path.name for path in tmp_path.rglob("*.jpg")} == {path.name for path in (root / "A").iterdir()}
    server.contents["/images.zip"] = CONTENT
    with pytest.raises(UserError, match="images.zip is damaged"):
        fetch([replace(images, target="B")], tmp_path / "other")
    assert left(tmp_path / "other") == set()
    assert json.loads((tmp_path / "other" / "checksums.json").read_text()) == {}


def test_too_little_room_is_said_before_anything_is_fetched(server: Files, tmp_path: Path) -> None:
    huge = the_list(server, size=10**18)
    with pytest.raises(UserError, match="list.json needs 1000000000.0 GB in"):
        fetch([huge], tmp_path)
    assert server.requests == []


def test_the_command_fetches_what_is_asked_for(server: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = (the_list(server), the_list(server, key="more", name="more.json", target="more.json"))
    monkeypatch.setitem(table.DOWNLOADS, "fake", files)

    def run(**options: object) -> None:
        data = {"name": "fake", "version": None, "root": str(tmp_path / "root")}
        download.run(OmegaConf.create({"data": data, "only": None, "force": False, **options}))

    run(only=["more"])
    assert left(tmp_path / "root") == {"more.json"}
    run(only="list")
    assert left(tmp_path / "root") == {"more.json", "list.json"}
    with pytest.raises(UserError, match="only=photos is no part of data=fake, whose parts are list, more"):
        run(only=["photos"])
    with pytest.raises(UserError, match="data=csv has nothing to download; this command fetches .*visual_genome"):
        run(data={"name": "csv", "root": str(tmp_path)})


def test_visual_genomes_table() -> None:
    assert [file.target for file in files_of("visual_genome", "1.2")] == [
        "densecap_splits.json",
        "image_data.json",
        "region_descriptions.json",
        "VG_100K",
        "VG_100K_2",
    ]
    assert [file.name for file in files_of("visual_genome", "1.0", ["regions"])] == ["region_descriptions_v1.json.zip"]
    assert files_of("visual_genome", "1.2", ["splits"])[0].sha256 == DENSECAP_SPLITS_SHA256
    for file in VISUAL_GENOME:
        assert all(address.startswith("https://") and address.endswith(file.name) for address in file.addresses)
    # What dataset_infos.json gives as the size of everything of version 1.0 but the splits.
    assert sum(file.size for file in files_of("visual_genome", "1.0", ["sizes", "regions", "images"])) == 15_304_605_295


def test_the_published_split_is_the_one_we_know(shared_splits: Path) -> None:
    splits = files_of("visual_genome", "1.2", ["splits"])[0]
    content = shared_splits.read_bytes()
    assert (len(content), sha256(content)) == (splits.size, splits.sha256)


@pytest.fixture
def shared_splits() -> Path:
    path = Path(__file__).parents[3].parent / "shared" / "data" / "splits" / "densecap_splits.json"
    if not path.is_file():
        pytest.skip("needs ../shared/data")
    return path
