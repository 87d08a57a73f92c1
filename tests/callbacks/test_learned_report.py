"""The figures of the report on a miniature file and a model that answers from a script."""

from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from densecap.callbacks import learned_report
from densecap.callbacks.learned_report import LearnedReport, examine
from densecap.structures import RegionPrediction
from tests.fakes.region_file import write_fake

RIGHT = "cat left of red"


class Scripted:
    """Finds the first true box of every image, exactly or shifted, and says what it is told to."""

    def __init__(self, caption, shift=0.0):
        self.caption, self.shift = caption, shift

    def caption_images(self, images):
        box = (self.shift, 0.0, 10.0 + self.shift, 20.0)
        return [[RegionPrediction(box, 0.9, self.caption, -1.0)] for _ in images]

    def caption_boxes(self, images, boxes):
        return [[RegionPrediction(tuple(box.tolist()), 0.5, self.caption, -1.0) for box in own] for own in boxes]


class Words:
    """Stands in for METEOR: 1 for a caption that is one of its references, else 0."""

    def __init__(self, problem=None):
        self.problem = lambda: problem

    def __call__(self, pairs):
        return np.array([float(caption in references) for caption, references in pairs])


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(
        learned_report, "proposals_of", lambda model, images: [torch.tensor([[0.0, 0, 10, 12]]) for _ in images]
    )
    monkeypatch.setattr(learned_report, "METEOR_SCORES", Words())
    return write_fake(tmp_path / "a.h5", ["train", "test", "test"], [1, 1, 2], [(48, 64)] * 3)


def test_a_perfect_box_with_the_right_words(file):
    """Three true boxes; the first of each image is found, and its phrase is right for it but not for the longer one."""
    figures = examine(Scripted(RIGHT), file, "test", 10).figures()
    assert figures["exact_phrases"] == pytest.approx(2 / 3)
    assert figures["detection_AP@.5"] == pytest.approx(67 / 101)  # precision 1 up to recall 2/3
    # The proposal covers 12 of 20 rows of the first box, and 9 x 10 of 230 pixels of the shifted one.
    assert figures["proposal_recall@.5"] == pytest.approx(2 / 3) and figures["proposal_recall@.7"] == 0


def test_wrong_words_and_wrong_boxes(file):
    assert examine(Scripted("red cat"), file, "test", 10).figures()["exact_phrases"] == 0
    assert examine(Scripted(RIGHT, shift=9), file, "test", 10).figures()["detection_AP@.5"] == 0


def test_small_boxes_need_not_be_found(file, monkeypatch):
    """Of 10 x 20 pixels, none counts; with a lower bar all do, and two of three are found with the right phrase."""
    assert examine(Scripted(RIGHT), file, "test", 10).named == []
    monkeypatch.setattr(learned_report, "LEAST_AREA", 100)
    assert examine(Scripted(RIGHT), file, "test", 10).named == [True, True, False]
    assert examine(Scripted(RIGHT, shift=9), file, "test", 10).named == [False] * 3


def test_the_sheet_shows_the_pictures(file, tmp_path):
    findings = examine(Scripted(RIGHT), file, "test", 10)
    LearnedReport(sheet_images=2)._draw(findings, tmp_path / "sheet.jpg")
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.width > 2 * 480 and sheet.height > 300


def test_dense_map_counts_in_original_pixels_and_raw_words(file, monkeypatch):
    """The first box of both images is found; of three truths that is recall 2/3, whenever the words match."""
    with h5py.File(file, "r+") as content:  # the stored pictures are half the size of the originals
        content["images/original_sizes"][...] = 2 * content["images/sizes"][...]
        content["regions/boxes"][...] = 2 * content["regions/boxes"][...]
    monkeypatch.setattr(learned_report, "METEOR_SCORES", Words())
    findings = examine(Scripted("a phrase"), file, "test", 10)
    assert findings.figures()["dense_mAP"] == pytest.approx(67 / 101)
    assert examine(Scripted(RIGHT), file, "test", 10).figures()["dense_mAP"] == 0


def test_without_meteor_the_rest_is_reported(file, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(learned_report, "METEOR_SCORES", Words("install densecap[meteor]"))
    figures = examine(Scripted(RIGHT), file, "test", 10).figures()
    assert "dense_mAP" not in figures and figures["exact_phrases"] == pytest.approx(2 / 3)
    trainer = SimpleNamespace(
        is_global_zero=True,
        interrupted=False,
        fast_dev_run=False,
        checkpoint_callback=None,
        datamodule=SimpleNamespace(file=file),
        default_root_dir=tmp_path,
        callback_metrics={},
        loggers=[],
    )
    task = SimpleNamespace(model=SimpleNamespace(eval=lambda: Scripted(RIGHT)))
    LearnedReport().on_fit_end(trainer, task)
    told = capsys.readouterr().out
    assert "no dense mAP: install densecap[meteor]" in told and "exactly right phrases" in told
