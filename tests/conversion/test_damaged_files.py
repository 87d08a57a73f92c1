"""Files that are cut, changed or hostile, in every format that is read: a sentence, in little memory, nothing run."""

import pickle
import random
import resource
import struct
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from densecap.commands.info import describe
from densecap.conversion.beside import Beside
from densecap.conversion.table import FORMATS, convert
from densecap.errors import UserError
from tests.fakes import caffe, python2_pickle, tensorflow
from tests.fakes.mrnn_tf import random_variables, save_words
from tests.fakes.torch7 import save as save_t7
from tests.fakes.torch7 import tensor

ONES = tensor(np.ones(9))
STATE = {"roi_heads.box_describer.embedding_layer.weight": torch.arange(40.0).view(8, 5), "a.bias": torch.zeros(3)}


def _vectors() -> dict[int, np.ndarray]:
    return {number: np.arange(12, dtype=np.float32) for number in range(4)}


def _checkpoint(path: Path) -> None:
    torch.save({"model": STATE, "results_on_val": {"map": 0.5}}, path)


def _old_checkpoint(path: Path) -> None:
    torch.save({"model": STATE}, path, _use_new_zipfile_serialization=False)


@dataclass
class Kind:
    """Writes a small file of a format; ``name`` ends as such files do."""

    format: str
    name: str
    write: Callable[[Path], object]


KINDS = (
    Kind(
        "densecap_t7", "a.t7", lambda path: save_t7(path, {"model": {"nets": {"language_model": tensor(np.ones(9))}}})
    ),
    Kind("neuraltalk2_t7", "a.t7", lambda path: save_t7(path, {"protos": {"cnn": tensor(np.ones(9)), "lm": {"a": 1}}})),
    Kind("caffe_vgg16", "a.caffemodel", lambda path: caffe.save(path, {"conv1_1": [np.ones((4, 3)), np.ones(4)]})),
    Kind("densecap_pytorch", "a.pth.tar", _checkpoint),
    Kind("densecap_pytorch", "old.pth.tar", _old_checkpoint),
    Kind("mrnn_tf", "a.ckpt", lambda path: tensorflow.save_v1(path, random_variables(features=16))),
    Kind("mrnn_tf", "b.ckpt", lambda path: tensorflow.save_v1(path, random_variables(features=16), packed=True)),
    Kind("mrnn_features", "a.npy", lambda path: python2_pickle.save_npy(path, _vectors())),
    Kind("mrnn_features", "a.pkl", lambda path: path.write_bytes(pickle.dumps(_vectors(), 2))),
)


def test_every_format_is_among_them() -> None:
    assert {kind.format for kind in KINDS} == {item.name for item in FORMATS}


def beside(folder: Path) -> Beside:
    annotation = {"id": 1, "file_name": "a.jpg", "sentences": [["a"]]}
    annotations = python2_pickle.save_npy(folder / "annotations.npy", [annotation])
    return Beside(save_words(folder / "words"), annotations={"train": annotations})


def attempt(path: Path, kind: Kind, given: Beside) -> str | None:
    """The sentence about a file; None when something came of it."""
    try:
        convert(path, kind.format, given)
    except UserError as error:
        text = str(error)
        assert path.name in text or "annotations" in text, text
        assert "\n" not in text
        return text
    return None


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.format} {kind.name}")
def test_cut_files_give_a_sentence(tmp_path: Path, kind: Kind) -> None:
    path, given = tmp_path / kind.name, beside(tmp_path)
    kind.write(path)
    content = path.read_bytes()
    for length in random.Random(1).sample(range(len(content)), min(25, len(content))):
        path.write_bytes(content[:length])
        assert attempt(path, kind, given) is not None


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.format} {kind.name}")
def test_changed_files_do_no_harm(tmp_path: Path, kind: Kind) -> None:
    path, given, chance = tmp_path / kind.name, beside(tmp_path), random.Random(3)
    kind.write(path)
    content = path.read_bytes()
    attempt(path, kind, given)
    tracemalloc.start()
    for _ in range(25):
        changed = bytearray(content)
        for _ in range(chance.choice([1, 2, 8])):
            changed[chance.randrange(len(changed))] = chance.choice([0, 127, 255, chance.randrange(256)])
        path.write_bytes(changed)
        attempt(path, kind, given)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6


def endless() -> dict[str, bytes]:
    """A kilobyte that says it is followed by two gigabytes."""
    size, filler = 1 << 31, bytes(1000)
    block = tensorflow.block
    index = tensorflow.varint(0) + tensorflow.varint(size)
    entries = tensorflow.entries([(b"a", index)])
    handles = tensorflow.varint(0) + tensorflow.varint(size) + tensorflow.varint(len(filler)) + tensorflow.varint(size)
    whole = filler + entries + b"\0" + tensorflow.masked(entries + b"\0")
    listed = tensorflow.varint(0) * 2 + tensorflow.varint(len(filler)) + tensorflow.varint(len(entries))
    return {
        "a.t7": struct.pack("<iii", 2, 2**31 - 1, 0) + filler,
        "b.t7": struct.pack("<iii", 4, 1, 3)
        + b"V 1"
        + struct.pack("<i", 18)
        + b"torch.FloatStorage"
        + struct.pack("<q", size)
        + filler,
        "a.caffemodel": caffe.varint(100 << 3 | 2) + caffe.varint(size) + filler,
        "a.ckpt": filler + handles.ljust(40, b"\0") + tensorflow.MAGIC,
        "b.ckpt": whole + listed.ljust(40, b"\0") + tensorflow.MAGIC,
        "c.ckpt": tensorflow.table({b"": block(1, block(1, block(1, b"w") + block(2, tensorflow.shape([1 << 40]))))}),
        "a.pkl": b"\x80\x02T" + struct.pack("<i", 2**31 - 1) + filler,
        "a.npy": b"\x93NUMPY\x01\x00" + struct.pack("<H", 65535) + filler,
        "b.npy": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + filler,
        "a.pth.tar": pickle.dumps({"model": 1}) + filler,
        "b.pth.tar": b"PK\x03\x04" + struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 0, 0, size, size, 1, 0) + b"a" + filler,
    }


@pytest.mark.parametrize("name", endless())
def test_endless_lengths_take_no_memory(tmp_path: Path, name: str) -> None:
    """In a process that may take little more memory than it has when the libraries are loaded."""
    (tmp_path / name).write_bytes(endless()[name])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    given = beside(tmp_path)
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29), hard))
    try:
        for item in FORMATS:
            if item.suits(tmp_path / name):
                with pytest.raises(UserError):
                    convert(tmp_path / name, item.name, given)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_info_says_a_sentence_about_each(tmp_path: Path) -> None:
    for name, content in endless().items():
        (tmp_path / name).write_bytes(content)
        if name != "c.ckpt":  # which is whole, and holds no numbers
            with pytest.raises(UserError) as caught:
                describe(tmp_path / name)
            assert name in str(caught.value) and "\n" not in str(caught.value)
    for kind in KINDS:
        if kind.format in ("mrnn_tf", "mrnn_features", "densecap_pytorch"):
            kind.write(tmp_path / kind.name)
            assert describe(tmp_path / kind.name).sections["parts"]
