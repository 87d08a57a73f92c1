"""Pictures in object storage, in tar files, and shared out among commands that know nothing of each other."""

import io
import tarfile

import fsspec
import pytest
import torch
from PIL import Image

from densecap.errors import UserError
from densecap.prediction.journal import stamp_of
from densecap.prediction.sources import Shard, open_source


def png(shade):
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def shades(source):
    return {item.image_id: int(item.read()[0, 0, 0]) for item in source}


@pytest.fixture
def bucket():
    """memory://bucket with three pictures, something else, and a list of two of them and a missing one."""
    files = fsspec.filesystem("memory")
    for number in (1, 2, 10):
        files.pipe(f"/bucket/photos/img{number}.png", png(number))
    files.pipe("/bucket/photos/notes.md", b"nothing")
    files.pipe("/bucket/list.txt", b"# a list\nphotos/img10.png\nmemory://bucket/photos/img1.png\nphotos/gone.png\n")
    yield "memory://bucket"
    files.rm("/bucket", recursive=True)


def write_tar(file, members):
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("name", ["photos", "photos/*.png", "photos/img*"])
def test_a_folder_and_globs_in_object_storage(bucket, name):
    source = open_source(f"{bucket}/{name}")
    assert source.total == 3 and list(shades(source).values()) == [1, 2, 10]


def test_a_list_in_object_storage_and_one_beside_it(bucket, tmp_path):
    found = list(open_source(f"{bucket}/list.txt"))
    assert [int(item.read()[0, 0, 0]) for item in found[:2]] == [10, 1]
    with pytest.raises(UserError, match="there is nothing at memory://bucket/photos/gone.png"):
        found[2].read()
    (tmp_path / "list.txt").write_text("memory://bucket/photos/img2.png\nhere.png\n")
    (tmp_path / "here.png").write_bytes(png(7))
    for name in (tmp_path / "list.txt", f"file://{tmp_path}/list.txt"):
        assert list(shades(open_source(str(name))).values()) == [2, 7]


def test_what_is_not_there_is_said_in_one_sentence(bucket):
    with pytest.raises(UserError, match="there is nothing at memory://bucket/other"):
        open_source(f"{bucket}/other.txt")
    with pytest.raises(UserError, match="holds no pictures"):
        open_source(f"{bucket}/photos/*.gif")


def test_tar_files_as_webdataset_writes_them(tmp_path, bucket):
    members = {"000.png": png(1), "000.txt": b"a caption", "./sub/001.png": png(2)}
    with (tmp_path / "a-000.tar").open("wb") as file:
        write_tar(file, members)
    with fsspec.open(f"{bucket}/a-001.tar", "wb") as file:
        write_tar(file, {"000.png": png(3)})
    (tmp_path / "list.txt").write_text(f"a-000.tar\n{bucket}/a-001.tar\n")
    source = open_source(str(tmp_path / "list.txt"))
    assert source.total == 3 and list(shades(source).values()) == [1, 2, 3]
    assert len(shades(source)) == 3, "every picture has an id of its own"
    items = list(source)
    assert items[0].name.endswith("a-000.tar/000.png") and stamp_of(items[0]) == stamp_of(items[1]) is not None
    assert list(shades(open_source(str(tmp_path))).values()) == [1, 2], "a folder of tar files"
    assert list(shades(open_source(f"{bucket}/*.tar")).values()) == [3]
    with pytest.raises(UserError, match="holds no pictures among its 1 files"):
        with (tmp_path / "b.tar").open("wb") as file:
            write_tar(file, {"a.txt": b"a"})
        open_source(str(tmp_path / "b.tar"))
    (tmp_path / "c.tar").write_bytes(b"no tar file at all")
    with pytest.raises(UserError, match="cannot be read as an uncompressed tar file"):
        open_source(str(tmp_path / "c.tar"))


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_all_shards_have_each_picture_once_under_the_id_it_has_among_all(tmp_path, count):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for number in range(5):
            (tmp_path / folder / f"{number}.png").write_bytes(png(number))
    names = [str(tmp_path / "a"), str(tmp_path / "b")]
    everything = shades(open_source(names))
    assert len(everything) == 10
    shards = [open_source(names, shard=Shard.read(f"{index}/{count}")) for index in range(count)]
    found = [item for shard in shards for item in shades(shard).items()]
    assert len(found) == 10 and dict(found) == everything
    assert [shard.total for shard in shards] == [len(shades(shard)) for shard in shards]


@pytest.mark.parametrize("text", ["8/8", "1", "a/b", "-1/2", "0/0"])
def test_what_is_no_shard(text):
    with pytest.raises(UserError, match="0/8, 1/8"):
        Shard.read(text)


def test_folders_of_shards():
    assert Shard.read(None).folder is None
    assert [Shard.read(text).folder for text in ("0/8", "3/64")] == ["shard-0-of-8", "shard-03-of-64"]
    assert torch.arange(10)[3::8].tolist() == list(Shard.read("3/8").of(range(10)))
