"""eval.py as a process of its own: a data set that is prepared first, files, exit status, mistakes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.visual_genome import write_visual_genome

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature Visual Genome, and its truth as COCO detections."""
    here = tmp_path_factory.mktemp("eval")
    rows = []
    for entry in write_visual_genome(here / "vg"):
        for region in entry["regions"]:
            box = [region[key] for key in ("x", "y", "width", "height")]
            rows.append({"image_id": entry["image_id"], "bbox": box, "score": 0.5, "caption": region["phrase"]})
    (here / "found.json").write_text(json.dumps(rows))
    (here / "cut.json").write_text(json.dumps(rows)[:200])
    return here


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    data = ("data=visual_genome", "data.root=vg", "data.file=vg.h5", "data.min_token_count=1")
    command = [sys.executable, str(ROOT / "eval.py"), *data, *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200)


def test_a_file_of_predictions(folder: Path) -> None:
    done = run(folder, "predictions=found.json", "metric=[dense_map,bleu]", "meteor.processes=1")
    assert done.returncode == 0, done.stderr
    assert "found.json is read as COCO detections with captions" in done.stderr
    assert "predicted boxes, 6 kept" in done.stdout and "captions for true boxes: 6 with" in done.stdout
    assert {path.name for path in (folder / "outputs/eval").iterdir()} == {
        "config.yaml",
        "run.json",
        "report.html",
        "report.json",
        "sheet.jpg",
    }
    report = json.loads((folder / "outputs/eval/report.json").read_text())
    assert report["data"]["images"] == 2 and report["coverage"]["predicted"]["outside"]["count"] == 10


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["predictions=cut.json"], "cut.json is cut off: its JSON ends in the middle, at line 1, column 201"),
        (["predictions=found.json", "ckpt=a.ckpt"], "give ckpt=PATH to score a model or predictions=FILE"),
        (["predictions=found.json", "metric=[bleuu]"], "did you mean metric=bleu?"),
        (["predictions=found.json", "metric.dense_map.convention=standard"], "has no use in eval"),
        ([], "no checkpoint was found under outputs"),
    ],
)
def test_mistakes_are_a_line_and_exit_status_2(folder: Path, options: list[str], words: str) -> None:
    done = run(folder, *options)
    assert done.returncode == 2 and done.stdout == ""
    assert words in done.stderr and done.stderr.count("\n") == 1 and done.stderr.startswith("densecap: ")
