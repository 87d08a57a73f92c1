"""A model over a split: what it says of its pictures, in pixels of the originals."""

import json

import numpy as np
import pytest
import torch

from densecap.data.hdf5 import RegionFile
from densecap.data.images import read_image
from densecap.errors import UserError
from densecap.evaluation.formats.table import read_predictions
from densecap.evaluation.model_pass import Wanted, exchanged, run_model
from densecap.evaluation.parts import join_part
from densecap.evaluation.truth import Truth
from densecap.metrics.dense_modules import ProposalRecallMetric
from densecap.metrics.detection import proposal_recall
from densecap.models.generation import score_captions
from densecap.models.inference import proposals_of
from densecap.prediction.writers import JsonWriter
from tests.callbacks.test_caption_metrics import plant, settle
from tests.fakes.region_file import write_fake


@pytest.fixture
def model(make_captioner):
    return settle(make_captioner())


@pytest.fixture
def truth(tmp_path, model):
    """Five images of half their original size, one of them without regions."""
    counts = [1, 4, 4, 0, 4, 4]
    path = write_fake(tmp_path / "a.h5", ["train"] + ["val"] * 5, counts, [(48, 64)] * 6)
    return Truth(RegionFile(plant(path, model)), "val")


def images_of(truth):
    return [read_image(truth.region_file.image_bytes(image.index)) for image in truth.images]


def run(model, truth, folder, batch_size=2, **wanted):
    paths = {name: folder / f"{name}.json" for name in ("predicted", "truth")}
    writers = {name: JsonWriter(path, {}) for name, path in paths.items()}
    told = []
    wanted = Wanted(model.detection, model.generation, **wanted)
    figures = run_model(model, truth, wanted, dict(writers), batch_size, told.append)
    for writer in writers.values():
        writer.close({"complete": True})
    assert sum(told) == len(truth.images)
    return figures.to_json(wanted), [join_part(read_predictions(path), truth) for path in paths.values()]


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_both_protocols_are_what_the_model_says_of_the_same_batches(model, truth, tmp_path, batch_size):
    """The pictures are flat, so that scores tie and their order is that of the batch's last bits."""
    _, (predicted, described) = run(model, truth, tmp_path, batch_size)
    images, boxes = images_of(truth), [torch.from_numpy(image.boxes).float() / 2 for image in truth.images]
    parts = [slice(start, start + batch_size) for start in range(0, len(images), batch_size)]
    all_found = [own for part in parts for own in model.caption_images(images[part])]
    all_described = [own for part in parts for own in model.caption_boxes(images[part], boxes[part])]
    rows = zip(truth.images, all_found, all_described, predicted.records, described.records)
    for true, found, regions, first, second in rows:
        assert first.captions == [region.caption for region in found] and len(found) > 3
        assert first.boxes == pytest.approx(2 * np.array([region.box for region in found]), abs=0.01)
        order = np.argsort([-region.score for region in regions], kind="stable").tolist()
        assert second.captions == [regions[row].caption for row in order]
        assert second.boxes == pytest.approx(true.boxes[order], abs=0.01)
    assert predicted.warnings == described.warnings == []


def test_proposals_and_perplexity_are_those_of_the_pure_functions(model, truth, tmp_path):
    recall = ProposalRecallMetric([5, 300], [0.5])
    figures, _ = run(model, truth, tmp_path, proposal_recall=recall)
    images, boxes = images_of(truth), [torch.from_numpy(image.boxes) for image in truth.images]
    proposals = [proposals_of(model, [image])[0] * 2 for image in images]
    for count in (5, 300):
        expected = proposal_recall([own[:count] for own in proposals], boxes, 0.5)
        assert figures["proposal_recall"][f"recall@{count}_iou0.5"] == pytest.approx(expected)
    log_prob, tokens = 0.0, 0
    for image, own, true in zip(images, truth.images, boxes):
        size = [(48, 64)]
        codes = model.recognition(
            model.localization.pool(model.feature_maps(image[None], size), [true.float() / 2], size)
        )
        for code, text in zip(codes, own.captions):
            words = model.vocabulary.encode(text.lower().replace(".", "").split())
            log_prob += float(score_captions(model.decoder, code[None], torch.tensor([words])))
            tokens += len(words) + 1
    assert figures["perplexity"] == pytest.approx(np.exp(-log_prob / tokens), rel=1e-5)


def test_what_is_not_wanted_is_not_computed(model, truth, tmp_path):
    figures, parts = run(model, truth, tmp_path, proposal_recall=None, perplexity=False)
    assert figures == {} and len(parts) == 2
    assert json.loads((tmp_path / "truth.json").read_text())["images"][2]["regions"] == []


@pytest.mark.parametrize("count", [2, 3, 50])
def test_exchanged_images_all_have_another_one(count):
    rows = list(range(100, 100 + count))
    order = exchanged(rows)
    assert sorted(order) == rows and not any(one == two for one, two in zip(rows, order))
    assert exchanged(rows) == order and (count < 50 or exchanged(rows, seed=1) != order)
    with pytest.raises(UserError, match="needs two images at least"):
        exchanged(rows[:1])
