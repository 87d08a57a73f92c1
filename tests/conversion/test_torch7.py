"""The reader of Torch7's files beside the package torchfile, and on files that are wrong in every way."""

import random
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from densecap.conversion.torch7 import reader
from densecap.conversion.torch7.reader import read, suits
from densecap.conversion.torch7.tensors import Tensor7
from densecap.conversion.torch7.values import Function, Table, TorchObject, in_words, reachable
from densecap.errors import UserError
from tests.fakes import torchfile_reading
from tests.fakes.torch7 import Lua, Obj, Pairs, Store, View, save, tensor

NUMBERS = np.arange(24, dtype=np.float32)


def everything() -> dict[str, Any]:
    """A small file with all that there is: shared and cyclic references, views, functions, every type of number."""
    store = Store(NUMBERS)
    shared = {"a": 1, "list": [1, 2.5, "three"]}
    node = Obj("nngraph.Node", {"data": {"annotations": {"name": "first"}}})
    node.content["children"] = [node]
    node.content["data"]["mapindex"] = Pairs([(1, node.content["data"]), (node.content["data"], 1)])
    table: dict[str, Any] = {"shared": shared, "again": shared, "yes": True, "no": False, "Ünïcode": "naïve"}
    table |= {"whole": View(store, (2, 3, 4)), "turned": View(store, (4, 3), 0, (1, 4)), "part": View(store, (2, 2), 5)}
    table |= {"empty": View(None, ()), "expanded": View(store, (5, 2), 3, (0, 1)), "storage": store}
    for kind in ("f8", "i8", "i4", "i2", "i1", "u1"):
        table[kind] = tensor(np.arange(-3 if kind != "u1" else 0, 4).astype(f"<{kind}"))
    table["cuda"] = tensor(NUMBERS.reshape(3, 8), "Cuda")
    table["cuda double"] = View(Store(np.arange(3.0), "CudaDouble"), (3,))
    table["sizes"] = Store(np.array([3, 4, 5], np.int64))
    table["linear"] = Obj("cudnn.SpatialConvolution", {"weight": View(store, (3, 2), 1), "node": node})
    table["function"] = Lua(b"\x1bLJ\x01", [{"name": "up", "value": node}])
    table["older function"] = Lua(b"", [node], tag=7)
    table["me"] = table
    return table


@pytest.mark.parametrize("long_size", [8, 4])
@pytest.mark.parametrize("version", ["V 1", None])
def test_everything_is_read_as_torchfile_reads_it(tmp_path: Path, long_size: int, version: str | None) -> None:
    path = save(tmp_path / "all.t7", everything(), long_size, version)
    file = read(path)
    assert file.long_size == long_size and suits(path)
    assert torchfile_reading.difference(file.root, torchfile_reading.load(path, long_size)) is None


def test_what_torchfile_finds_differs_where_the_file_does(tmp_path: Path) -> None:
    """The comparison itself can fail: another number, name, table or reference."""
    theirs = torchfile_reading.load(save(tmp_path / "a.t7", everything()))
    for change in (
        lambda table: table.update(part=View(Store(NUMBERS), (2, 2), 6)),
        lambda table: table["linear"].content.pop("node"),
        lambda table: table.update(again={"a": 1, "list": [1, 2.5, "three"]}),
        lambda table: table.update(linear=Obj("nn.Linear")),
        lambda table: table["shared"]["list"].append(4),
    ):
        changed = everything()
        change(changed)
        assert torchfile_reading.difference(read(save(tmp_path / "b.t7", changed)).root, theirs)


def test_references_are_the_same_object(tmp_path: Path) -> None:
    root = read(save(tmp_path / "a.t7", everything())).root
    assert root.get("shared") is root.get("again") and root.get("me") is root
    node = root.get("linear").get("node")
    assert node.get("children").get(1) is node
    assert node.get("data").get("mapindex").get(node.get("data")) == 1  # a table as a key
    assert root.get("whole").storage is root.get("turned").storage is root.get("storage")
    assert len({id(value) for value in reachable(root)}) == len(list(reachable(root)))


def test_views_show_the_numbers_that_lua_would(tmp_path: Path) -> None:
    root = read(save(tmp_path / "a.t7", everything())).root
    assert root.get("turned").array().tolist() == [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]
    assert root.get("part").array().tolist() == [[5, 6], [7, 8]]
    assert root.get("expanded").array().tolist() == [[3, 4]] * 5
    assert root.get("empty").array().shape == (0,)
    assert root.get("function") == Function(4) and root.get("Ünïcode") == "naïve"


def test_half_precision_and_functions_of_old(tmp_path: Path) -> None:
    """Which torchfile does not read, or reads as no Torch7 ever wrote it."""
    half = View(Store(np.array([0.5, -2], "<f2")), (2,))
    root = read(save(tmp_path / "a.t7", {"half": half, "f": Lua(b"code", [1], tag=6), "after": 7})).root
    assert root.get("half").array().tolist() == [0.5, -2] and root.get("after") == 7


def test_hashes_and_vectors_of_tds(tmp_path: Path) -> None:
    path = tmp_path / "a.t7"
    with path.open("wb") as file:
        for name, values in (("tds.Hash", (b"\2\0\0\0\1\0\0\0a", 5.0)), ("tds.Vec", (6.0, 7.0))):
            if name == "tds.Hash":  # a table of two
                file.write(struct.pack("<iii", 3, 1, 2) + struct.pack("<id", 1, 1.0))
            else:
                file.write(struct.pack("<id", 1, 2.0))
            file.write(struct.pack("<ii", 4, 2 if name == "tds.Hash" else 3))
            file.write(struct.pack("<i", 3) + b"V 1" + struct.pack("<i", len(name)) + name.encode())
            file.write(struct.pack("<ii", 1 if name == "tds.Hash" else 2, 0))
            for value in values:
                file.write(value if isinstance(value, bytes) else struct.pack("<id", 1, value))
    root = read(path).root
    assert root.get(1).get("a") == 5 and root.get(2).content.listed() == [6, 7]
    theirs = torchfile_reading.load(path)
    assert theirs == [{b"a": 5}, [6, 7]] or (dict(theirs[0]), theirs[1]) == ({b"a": 5}, [6, 7])


def test_words_for_what_is_there() -> None:
    module = TorchObject("nn.Sequential")
    module.content = Table()
    module.content.entries["modules"] = Table()
    assert in_words(module) == "a nn.Sequential of 0 modules"
    assert in_words(None) == "nothing" and in_words(2.0) == "2.0"


# Files that are wrong: a UserError, in bounded time and memory, and nothing else.


def use(path: Path) -> None:
    """Read a file and every tensor in it."""
    for value in reachable(read(path).root):
        if isinstance(value, Tensor7):
            value.array().tobytes()


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    content = save(tmp_path / "a.t7", everything()).read_bytes()
    path = tmp_path / "cut.t7"
    for length in [*range(0, len(content), 3), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(
            UserError, match=r"cut.t7 (is empty|cannot be read as a Torch7 file: .* \(at byte [\d,]+\))"
        ):
            read(path)


@pytest.mark.parametrize("long_size", [8, 4])
def test_changed_bytes_never_do_more_than_fail(tmp_path: Path, long_size: int) -> None:
    content = save(tmp_path / "a.t7", everything(), long_size).read_bytes()
    chance, path, refused = random.Random(long_size), tmp_path / "b.t7", 0
    tracemalloc.start()
    for _ in range(400):
        changed = bytearray(content)
        for _ in range(chance.choice([1, 1, 2, 8])):
            changed[chance.randrange(len(changed))] = chance.choice([0, 1, 4, 127, 128, 255, chance.randrange(256)])
        path.write_bytes(changed)
        try:
            use(path)
        except UserError:
            refused += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused > 100 and peak < 20e6


def object_header(name: str, tag: int = 4) -> bytes:
    return struct.pack("<ii", tag, 1) + struct.pack("<i", 3) + b"V 1" + struct.pack("<i", len(name)) + name.encode()


HUGE, ENDLESS = 2**31 - 1, 2**62


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (struct.pack("<ii", 2, HUGE), "a string would be 2,147,483,647 bytes long"),
        (struct.pack("<ii", 2, -5), "a string would take -5 bytes"),
        (struct.pack("<ii", 2, 5000), "a string would take 5,000 bytes where 1,000 are left"),
        (struct.pack("<iii", 3, 1, HUGE), "a table would have 2,147,483,647 entries"),
        (struct.pack("<iii", 3, 1, -1), "a table would have -1 entries"),
        (struct.pack("<iii", 8, 1, HUGE), "a function would take 2,147,483,647 bytes"),
        (struct.pack("<iii", 8, 1, -9), "a function would take -9 bytes"),
        (struct.pack("<iii", 6, HUGE, 1), "a function would take 2,147,483,647 bytes"),
        (struct.pack("<i", 99), "there is no type of object 99"),
        (struct.pack("<iii", 4, 1, HUGE), "a string would be 2,147,483,647 bytes long"),
        (struct.pack("<iii", 4, 1, 4) + b"a\nb\0", "a class would be called"),
        (object_header("torch.FloatStorage") + struct.pack("<q", ENDLESS), "a torch.FloatStorage of 4,611,686,"),
        (object_header("torch.ByteStorage") + struct.pack("<q", -1), "a torch.ByteStorage of -1 would take -1 bytes"),
        (object_header("torch.FloatTensor") + struct.pack("<i", HUGE), "would have 2147483647 dimensions"),
        (object_header("torch.FloatTensor") + struct.pack("<i", -1), "would have -1 dimensions"),
        (object_header("tds.Vec") + struct.pack("<i", HUGE), "a table would have 2,147,483,647 entries"),
    ],
)
def test_hostile_lengths_are_refused_before_anything_is_made(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.t7"
    path.write_bytes(content + b"\0" * 1000)
    tracemalloc.start()
    with pytest.raises(UserError) as caught:
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert message in str(caught.value) and peak < 5e6


@pytest.mark.parametrize(
    ("shape", "strides", "start"),
    [
        ((5,), (1,), 0),
        ((2,), (4,), 0),
        ((1,), (1,), 4),
        ((1,), (1,), -1),
        ((2, 2), (-1, 1), 3),
        ((-2, 2), (1, 1), 0),
        ((2**40, 2**40), (2**40, 1), 0),
    ],
)
def test_tensors_that_leave_their_storage_are_refused(tmp_path: Path, shape: Any, strides: Any, start: int) -> None:
    view = View(Store(np.zeros(4, np.float32)), shape, start, strides)
    with pytest.raises(UserError, match="a torch.FloatTensor"):
        read(save(tmp_path / "a.t7", view))


def test_a_tensor_that_repeats_its_numbers_without_end_is_not_filled(tmp_path: Path) -> None:
    endless = View(Store(np.zeros(4, np.float32)), (2**31, 2**20), 0, (0, 0))
    root = read(save(tmp_path / "a.t7", endless)).root
    with pytest.raises(UserError, match="repeats the 4 numbers it stores"):
        root.array()


def test_a_tensor_without_storage_or_with_something_else_as_one(tmp_path: Path) -> None:
    for storage in (struct.pack("<i", 0), struct.pack("<iii", 3, 7, 0), struct.pack("<ii", 4, 1)):
        path = tmp_path / "a.t7"
        path.write_bytes(object_header("torch.FloatTensor") + struct.pack("<iqqq", 1, 2, 1, 1) + storage)
        with pytest.raises(UserError, match=r"shows the numbers 1 to 2 of 0|is it complete"):
            read(path)


def test_nesting_has_no_depth(tmp_path: Path) -> None:
    """Twenty thousand tables, each in the one before: Python's stack is not used."""
    depth = 20_000
    path = tmp_path / "deep.t7"
    opening = [struct.pack("<iii", 3, index, 1) + struct.pack("<id", 1, 1.0) for index in range(1, depth)]
    path.write_bytes(b"".join(opening) + struct.pack("<iii", 3, depth, 0))
    assert sum(1 for _ in reachable(read(path).root)) == depth
    path.write_bytes(b"".join(opening))
    with pytest.raises(UserError, match="at byte"):
        read(path)


def test_more_objects_than_a_model_has_are_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MEMORY_LIMIT", 100_000)
    path = save(tmp_path / "a.t7", [{"x": index} for index in range(1000)])
    with pytest.raises(UserError, match="holds more objects than any model has"):
        read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"PK\x03\x04rest", "is a zip archive: unpack it"), (b"4\n1\n3\nV 1\n", "in text form"), (b"", "is empty")],
)
def test_other_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.t7"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read(path)
    with pytest.raises(UserError, match="there is no file"):
        read(tmp_path / "none.t7")
