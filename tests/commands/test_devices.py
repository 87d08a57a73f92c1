"""``device`` and ``devices`` on machines with and without GPUs."""

import pytest
import torch
from omegaconf import OmegaConf

from densecap.commands.devices import Devices, choose_devices
from densecap.errors import UserError


def chosen(**options) -> Devices:
    return choose_devices(OmegaConf.create(options))


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)


def test_on_the_processor() -> None:
    one = Devices(torch.device("cpu"))
    assert chosen(device="cpu") == chosen(device="cpu", devices=1) == chosen(device="cpu", devices=None) == one
    assert chosen(device="cpu", devices="auto") == one and one.count == 1
    assert chosen(device="cpu", devices=3) == Devices(torch.device("cpu"), "cpu", 3)


def test_on_gpus(four_gpus: None) -> None:
    assert chosen(device="auto") == chosen() == Devices(torch.device("cuda"))
    assert chosen(devices="auto") == chosen(devices=4) == Devices(torch.device("cuda", 0), "gpu", [0, 1, 2, 3])
    assert chosen(devices=[2, 0]) == Devices(torch.device("cuda", 2), "gpu", [2, 0])
    assert chosen(devices=[3]) == Devices(torch.device("cuda", 3)), "one GPU needs no second process"


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        (5, "devices=5 cannot be used: there are 4 GPUs here"),
        ([0, 4], r"devices=\[0, 4\] cannot be used"),
        ([1, 1], "cannot be used"),
        (0, "cannot be used"),
        ([], "should be a number, a list of GPUs"),
        (True, "should be a number"),
        (-1, "should be a number"),
        ("two", "devices=two should be a number"),
        ([0, "x"], "should be a number"),
    ],
)
def test_what_cannot_be(four_gpus: None, devices, words: str) -> None:
    with pytest.raises(UserError, match=words):
        chosen(devices=devices)
