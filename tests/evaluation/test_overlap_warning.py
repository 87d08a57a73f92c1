"""What is known before scoring, such as images seen in training, is in the report and on the terminal."""

import io
from pathlib import Path

from rich.console import Console

from densecap.data.hdf5 import RegionFile
from densecap.evaluation.figures import Choice
from densecap.evaluation.formats.table import read_predictions
from densecap.evaluation.scoring import Inputs, evaluate
from densecap.evaluation.table import show
from densecap.evaluation.truth import Truth
from tests.fakes import split as fakes


def test_a_warning_comes_first_and_once(tmp_path: Path) -> None:
    truth = Truth(RegionFile(fakes.write_split(tmp_path / "a.h5")), "test")
    assert truth.id_space == "fake"
    path = fakes.write_own(tmp_path / "predictions.json", fakes.predictions_of(truth))
    inputs = Inputs(truth, read_predictions(path), warnings=["trained on 3 of them", "trained on 3 of them"])
    report = evaluate(inputs, Choice(("detection",), protocol="predicted")).report
    assert report["warnings"][0] == "trained on 3 of them" and report["warnings"].count("trained on 3 of them") == 1
    console = Console(file=io.StringIO(), width=200)
    show(report, console)
    assert console.file.getvalue().count("note: trained on 3 of them") == 1
