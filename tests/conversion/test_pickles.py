"""Pickles of plain values are read as Python's own module reads them; all else is refused, and nothing is run."""

import os
import pickle
import pickletools
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from densecap.conversion.pickles import machine
from densecap.conversion.pickles.reader import read
from densecap.conversion.pickles.values import Array
from densecap.errors import UserError
from tests.fakes import python2_pickle

VALUES: dict[Any, Any] = {
    9: np.arange(5, dtype=np.float32),
    10: np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "swapped": np.arange(3, dtype=">i2"),
    "large": np.arange(40_000, dtype=np.float32),
    "objects": np.array([{"id": 3}, ["a", "b"]], object),
    "plain": ["a", "\xe9", None, True, False, 3.5, -5, 300, 2**40, -(2**62), (), (1,), (1, 2, 3, 4), {}, []],
    "scalar": np.float32(2.5),
}


def plain(value: Any) -> Any:
    """With arrays as lists of their numbers."""
    if isinstance(value, Array):
        return [plain(item) for item in value.items()] if value.dtype.is_object else value.array().tolist()
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("protocol", range(5))
def test_what_python_3_pickles(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(VALUES, protocol))
    assert plain(read(path)) == plain(VALUES)


def test_what_python_2_pickled(tmp_path: Path) -> None:
    """The writer is checked against Python's own reader, so that it and ours cannot share a mistake."""
    values = {key: value for key, value in VALUES.items() if key != 10}  # the writer knows C's order alone
    content = python2_pickle.dumps(values)
    (tmp_path / "a.pkl").write_bytes(content)
    assert plain(pickle.loads(content, encoding="latin1")) == plain(read(tmp_path / "a.pkl")) == plain(values)
    path = python2_pickle.save_npy(tmp_path / "a.npy", values)
    theirs = np.load(path, allow_pickle=True, encoding="latin1").item()
    assert plain(theirs) == plain(read(path)) == plain(values)


def test_numpy_saves_objects_that_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array(VALUES, object), allow_pickle=True)
    assert plain(read(tmp_path / "a.npy")) == plain(VALUES)
    items = np.array([{"id": 1}, {"id": 2}], object)
    np.save(tmp_path / "a.npy", items, allow_pickle=True)
    assert read(tmp_path / "a.npy").items() == items.tolist()


@pytest.mark.long
@pytest.mark.parametrize("module", ["pickle", "cPickle"])
def test_what_python_2_itself_pickles(tmp_path: Path, module: str) -> None:
    python = shutil.which("python2.7")
    if python is None or subprocess.run([python, "-V"], capture_output=True).returncode:
        pytest.skip("there is no Python 2.7 to ask")
    code = f"""
import {module} as pickle
value = {{1: ["a", u"\\xe9", "\\xe9", None, True, 3.5, -5, 2 ** 40, (1, 2)], "k": {{}}, "long": "x" * 70000}}
value["again"] = value[1]
for protocol in range(3):
    with open("%d.pkl" % protocol, "wb") as file:
        pickle.dump(value, file, protocol)
"""
    subprocess.run([python, "-c", code], cwd=tmp_path, check=True, env={"PATH": os.environ["PATH"]})
    for protocol in range(3):
        path = tmp_path / f"{protocol}.pkl"
        value, theirs = read(path), pickle.loads(path.read_bytes(), encoding="latin1")
        assert value[1] == theirs[1] and value["again"] is value[1] and len(value["long"]) == 70000


def test_views_of_the_file_are_not_copied(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({1: np.zeros(1 << 20, np.float32)}, 2 + 1))
    array = read(tmp_path / "a.pkl")[1].array()
    assert not array.flags.owndata and array.size == 1 << 20


class Evil:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "value",
    [
        Evil(Path.touch, Path("touched")),
        Evil(os.system, "touch touched"),
        Evil(eval, "open('touched', 'w')"),
        {"a": [Evil(getattr, Path(), "touch")]},
        Counter("abc"),
        {1, 2},
        b"cpytest\nmain\n(tR.",
    ],
    ids=["method", "system", "eval", "getattr", "counter", "set", "module"],
)
def test_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: Any, protocol: int) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.pkl").write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol))
    with pytest.raises(UserError, match="a.pkl cannot be read as a pickle of plain values: .*nothing in it was run"):
        read("a.pkl")
    assert not Path("touched").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02T\xff\xff\xff\x7f" + b"a" * 900,  # a string of 2 GB
        b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f" + b"a" * 900,
        b"\x80\x04\x8d" + b"\xff" * 8,
        b"\x80\x02\x8b\xff\xff\xff\x7f",  # a whole number of 2 GB
        b"\x80\x02\x8b\xff\xff\xff\xff",
        b"\x80\x02Nr\xff\xff\xff\x7f" + b"N" * 10,  # a place among what is remembered that is far off, and no end
        b"\x80\x02j\xff\xff\xff\x7f.",
        b"I" + b"9" * 5000 + b"\n.",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R.",
        b"\x80\x02NNNb.",
        b"\x80\x02)R.",
        b"\x80\x02]Ns.",
        b"\x80\x02}]Ns.",
        b"\x80\x02e.",
        b"\x80\x02.",
        b"",
        b"c" + b"a" * 4000,
    ],
)
def test_hostile_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(content)
    try:
        value = read(path)
    except UserError as error:
        assert "a.pkl" in str(error)
    else:
        assert isinstance(value, Array) and value.data is None  # an array that was never filled


def test_arrays_are_as_large_as_they_say(tmp_path: Path) -> None:
    content = pickle.dumps(np.zeros((2, 3), np.float32), 2)
    place = next(offset for code, value, offset in pickletools.genops(content) if value == 3 and code.name == "BININT1")
    (tmp_path / "a.pkl").write_bytes(content[: place + 1] + b"\x04" + content[place + 2 :])
    with pytest.raises(UserError, match=r"an array of \(2, 4\) should take 32, but 24 are there"):
        read(tmp_path / "a.pkl")


def test_values_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MAX_VALUES", 100)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(list(range(200))))
    with pytest.raises(UserError, match="it makes more than 100 values"):
        read(tmp_path / "a.pkl")
