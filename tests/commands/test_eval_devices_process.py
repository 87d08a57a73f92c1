"""eval.py devices=2: two processes that share a split out, and one report, the very one of a single process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from densecap.cli import entry
from tests.docs.laboratory import DENSE, WHOLE, save_untrained
from tests.fakes.flickr8k import write_flickr8k
from tests.fakes.started_processes import is_connected, is_gone, ranks_of

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.long

WORDS = ["a", "man", "dog", "red", "circle"]
SCENES = ("ckpt=dense/best.ckpt", "data=shapes", "data.reader.counts={train: 2, val: 2, test: 7}", "data.image_size=96")
SCENES = (*SCENES, "detection.max_detections=5", "convention=standard", "meteor.processes=1")
PHOTOS = ("ckpt=whole/best.ckpt", "data=flickr8k", "data.image_size=96", "meteor.processes=1")
ALWAYS = ("device=cpu", "batch_size=2")
PHOTOS = (*PHOTOS, "metric=[bleu,cider,rouge_l,perplexity,retrieval]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models of random weights, and seven images to judge each by."""
    here = tmp_path_factory.mktemp("eval")
    write_flickr8k(here / "data" / "flickr8k", (4, 2, 7))
    save_untrained(here / "dense" / "best.ckpt", WORDS, *DENSE)
    save_untrained(here / "whole" / "best.ckpt", WORDS, *WHOLE)
    return here


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "eval.py"), *ALWAYS, *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    )


def said(process: subprocess.Popen[str], status: int) -> str:
    _, messages = process.communicate(timeout=250)
    assert process.returncode == status and "Traceback" not in messages, messages
    return messages


def findings(folder: Path) -> dict[str, Any]:
    """All figures, and what was said of every image, in the order of the file."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["model"].pop("images_per_second") > 0
    report["model"].get("retrieval", {}).pop("seconds", None)
    files = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("predictions*.json")}
    assert all(data["complete"] and data["timing"]["images"] == 7 for data in files.values())
    figures = {
        protocol: {key: part.get(key) for key in ("captions", "dense_map")}
        for protocol, part in report["protocols"].items()
    }
    images = {name: data["images"] for name, data in files.items()}
    return {"model": report["model"], "data": report["data"], "figures": figures, "images": images}


@pytest.mark.parametrize("options", [SCENES, PHOTOS], ids=["dense", "whole"])
def test_two_processes_find_what_one_finds(
    folder: Path, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = options[0].removeprefix("ckpt=").partition("/")[0]
    monkeypatch.chdir(folder)
    torch.set_num_threads(1)
    assert entry.run([*ALWAYS, *options, f"output.dir={name}-one"], "eval") == 0
    messages = said(start(folder, *options, f"output.dir={name}-two", "devices=2"), 0)
    one, two = findings(folder / f"{name}-one"), findings(folder / f"{name}-two")
    assert one == two
    assert one["model"]["perplexity"] > 1 and len(one["images"]["predictions.json"]) == 7
    assert messages.count("described 7 images") == messages.count("written to") == 1
    assert {path.name for path in (folder / f"{name}-one").iterdir()} == {
        path.name for path in (folder / f"{name}-two").iterdir()
    }


def test_a_problem_of_all_is_said_once(folder: Path) -> None:
    content = torch.load(folder / "whole" / "best.ckpt", weights_only=True)
    for values in content["state_dict"].values():
        if values.is_floating_point():
            values.fill_(float("nan"))
    torch.save(content, folder / "nan.ckpt")
    messages = said(start(folder, *PHOTOS[1:], "ckpt=nan.ckpt", "output.dir=broken", "devices=2"), 2)
    assert messages.count("the model gives numbers that are not finite") == 1
    assert list((folder / "broken").iterdir()) == []


#: So many images that a signal comes before all are described.
MANY = (*SCENES, "data.reader.counts={train: 2, val: 2, test: 60}", "data.file=data/many.h5", "batch_size=1")
MANY = (*MANY, "metric=[bleu]", "protocol=predicted", "devices=2")


def when(process: subprocess.Popen[str], condition: Callable[[], bool], seconds: float = 150) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None and condition(), process.stderr.read() if process.stderr else ""


def test_ctrl_c_ends_all(folder: Path) -> None:
    """As a terminal sends it, to every process, while both describe."""
    out = folder / "stopped"
    process = start(folder, *MANY, f"output.dir={out.name}")
    when(process, lambda: 1 in ranks_of(process))
    helper = ranks_of(process)[1]
    when(process, lambda: is_connected(helper))
    os.killpg(process.pid, signal.SIGINT)
    _, messages = process.communicate(timeout=120)
    assert process.returncode == 130 and is_gone(helper), messages
    assert "interrupted" in messages and not (out / "report.json").exists()
    assert "Traceback" not in messages
    assert json.loads((out / "predictions.json").read_text(encoding="utf-8"))["complete"] is False
    assert not list(out.glob(".*"))
