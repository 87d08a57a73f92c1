"""Wrong files are answered in one sentence; the newest checkpoint is found."""

import os

import pytest
import torch

from densecap import checkpoint
from densecap.errors import UserError


def test_what_is_not_a_checkpoint(tmp_path):
    with pytest.raises(UserError, match="no checkpoint at"):
        checkpoint.read(tmp_path / "none.ckpt")
    broken = tmp_path / "broken.ckpt"
    broken.write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(UserError, match="cannot be read"):
        checkpoint.read(broken)
    foreign = tmp_path / "foreign.ckpt"
    torch.save({"state_dict": {}}, foreign)
    with pytest.raises(UserError, match="no densecap model"):
        checkpoint.read(foreign)
    torch.save({"densecap": {"version": 999}}, foreign)
    with pytest.raises(UserError, match="newer densecap"):
        checkpoint.read(foreign)


def test_the_newest_best(tmp_path):
    assert checkpoint.newest(tmp_path) is None
    for index, name in enumerate(["one", "two", "three"]):
        folder = tmp_path / "train" / name / "checkpoints"
        folder.mkdir(parents=True)
        (folder / "best.ckpt").touch()
        os.utime(folder / "best.ckpt", (index * 100, 300 - index * 100))
    assert checkpoint.newest(tmp_path).parts[-3:] == ("one", "checkpoints", "best.ckpt")
    assert checkpoint.newest(tmp_path, "last") is None
    (tmp_path / "train" / "three" / "checkpoints" / "last.ckpt").touch()
    assert checkpoint.newest(tmp_path, "last").parts[-3:] == ("three", "checkpoints", "last.ckpt")
    assert checkpoint.newest(tmp_path).parts[-3:] == ("three", "checkpoints", "best.ckpt")  # of the newest run
    assert checkpoint.newest(tmp_path, "best").parts[-3] == "one"
    assert (
        checkpoint.newest(tmp_path / "train" / "one" / "checkpoints").name == "best.ckpt"
    )  # the inner folder is one, too
