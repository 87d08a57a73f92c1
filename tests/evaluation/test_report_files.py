"""Reports of earlier evaluations: what names mean, what files are refused, what evaluations are called."""

from pathlib import Path

import pytest

from densecap.errors import UserError
from densecap.evaluation.report_files import find_reports, read_report, short_names
from tests.fakes.reports import report, write


def test_files_folders_and_globs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("out/eval-10", "out/eval-2", "out/eval", "out/.hidden", "other [1]/x", "deep/a/b"):
        write(folder, report())
    write("loose", report(), "b.json")
    write("loose", report(), "a.json")
    Path("out/train").mkdir()

    def found(*names: str) -> list[str]:
        return [
            path.parent.as_posix() if path.name == "report.json" else path.as_posix() for path in find_reports(names)
        ]

    in_order = ["out/eval", "out/eval-2", "out/eval-10"]
    assert found("out") == found("out/eval*") == found("out/*/report.json") == found("out/*") == in_order
    assert found("out/eval-2", "out") == ["out/eval-2", "out/eval", "out/eval-10"]  # each once, as typed
    assert found("other [1]") == found("other [1]/*") == found("other [1]/x/report.json") == ["other [1]/x"]
    assert found("loose/*") == ["loose/a.json", "loose/b.json"]
    assert found("deep/**") == found("deep/a") == ["deep/a/b"]
    for name, sentence in (
        ("out/evel", "no file or folder out/evel; did you mean eval"),
        ("out/train", "the folder out/train holds no report.json"),
        ("deep", "the folder deep holds no report.json"),  # two levels down is too far
        ("out/t*", "the pattern out/t\\* matches no report.json"),
    ):
        with pytest.raises(UserError, match=sentence):
            find_reports(["out/eval", name])


def test_names_are_as_short_as_they_can_be() -> None:
    reports = ["runs/a/eval", "runs/b/eval", "c/beam", "d/a/eval", "c/greedy"]
    paths = [Path("/x", name, "report.json") for name in reports]
    assert short_names(paths) == ["runs/a/eval", "b/eval", "beam", "d/a/eval", "greedy"]
    assert short_names([Path("/x/c/report.json"), Path("/x/c.json"), Path("/y/c.json")]) == [
        "c",
        "x/c.json",
        "y/c.json",
    ]
    assert short_names([Path("/report.json"), Path("/a\n b/report.json")]) == ["/", "a b"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b'{"version": 1, "data": {"na', "is cut off or damaged at line 1, column 25"),
        (b"", "is cut off or damaged"),
        (b"<!DOCTYPE html>", "is not a report of eval, as report.json is: it is no JSON"),
        (b"[" * 100_000, "is not a report of eval"),
        (b"\xff\xfe{}", "is not a report of eval"),
        (b"[1, 2]", "is not a report of eval, as report.json is: it is no JSON object"),
        (b'{"version": 1, "images": []}', "is not a report of eval, as report.json is: it has no section data"),
        (b'{"version": 1, "data": {"name": "a"}, "protocols": {}}', "does not give name, split, images"),
        (b'{"results": []}', "it has no version number"),
        (b'{"version": 2}', "is from a newer densecap .version 2 of the format, .* up to 1.: update densecap"),
    ],
)
def test_what_is_no_report(tmp_path: Path, text: bytes, sentence: str) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(text)
    with pytest.raises(UserError, match=sentence) as caught:
        read_report(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_report_comes_back_as_it_was_written(tmp_path: Path) -> None:
    own = report(captions={"BLEU-4": 0.1, "CIDEr-D": None}, model={"perplexity": 9.5})
    assert read_report(write(tmp_path, own)) == own
