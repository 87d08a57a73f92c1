"""Shares of a split are whole batches, and what comes of them together is what one process says."""

from itertools import chain

import pytest

from densecap.data.hdf5 import RegionFile
from densecap.evaluation.model_pass import ModelPass, Wanted
from densecap.evaluation.truth import Truth
from densecap.tasks.evaluation import Kept, PassReport, put_together
from tests.callbacks.test_caption_metrics import plant, settle
from tests.fakes.region_file import write_fake


@pytest.fixture
def model(make_captioner):
    return settle(make_captioner())


@pytest.fixture
def truth(tmp_path, model):
    """Seven images, one of them without regions."""
    path = write_fake(tmp_path / "a.h5", ["train"] + ["val"] * 7, [1, 4, 4, 0, 4, 4, 2, 1], [(48, 64)] * 8)
    return Truth(RegionFile(plant(path, model)), "val")


def pass_over(model, truth):
    wanted = Wanted(model.detection, model.generation)
    return ModelPass(model, truth, wanted, {"predicted": Kept(), "truth": Kept()}, batch_size=2)


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_every_batch_is_in_one_share_and_is_the_one_of_a_process_alone(model, truth, world):
    run = pass_over(model, truth)
    alone = [list(rows) for _, rows, _ in run.batches()]
    shares = [[list(rows) for _, rows, _ in run.batches(rank, world)] for rank in range(world)]
    assert [len(batch) for batch in alone] == [2, 2, 2, 1]
    assert sorted(chain(*shares)) == sorted(alone)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def found(model, truth, rank, world):
    """What a rank reports, and its pass."""
    run = pass_over(model, truth)
    images = sum(run.take(shown) for shown in run.batches(rank, world))
    said = {name: writer.predictions for name, writer in run.writers.items()}
    recall = dict(run.wanted.proposal_recall.records)
    return run, PassReport(False, "", images, said, run.figures.losses, run.figures.tokens, recall)


@pytest.mark.parametrize("world", [2, 5])
def test_together_they_say_what_one_says(model, truth, world):
    alone, expected = found(model, truth, 0, 1)
    runs, reports = zip(*(found(model, truth, rank, world) for rank in range(world)))
    writers = {"predicted": Kept(), "truth": Kept()}
    figures = put_together(reports, runs[0], writers)
    assert sum(report.images for report in reports) == 7
    assert {name: writer.predictions for name, writer in writers.items()} == expected.predictions
    assert figures.to_json(runs[0].wanted) == alone.figures.to_json(alone.wanted)
