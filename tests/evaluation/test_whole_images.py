"""A captioner of whole images over a split: one caption an image, perplexity of all, files read back as such."""

import json

import numpy as np
import pytest
import torch

from densecap.data.hdf5 import RegionFile
from densecap.data.images import read_image
from densecap.evaluation.figures import Choice
from densecap.evaluation.formats.table import read_predictions
from densecap.evaluation.model_pass import Wanted, run_model
from densecap.evaluation.parts import join_part
from densecap.evaluation.scoring import Inputs, evaluate
from densecap.evaluation.truth import Truth
from densecap.models.generation import score_captions
from densecap.prediction.writers import CsvWriter, JsonLinesWriter, JsonWriter
from tests.fakes.region_file import write_fake
from tests.fakes.whole_images import small_image_captioner, write_whole_images


@pytest.fixture
def truth(tmp_path):
    path = write_whole_images(tmp_path / "wholes.h5", ["train", *["test"] * 5], captions=[1, 2, 3, 1, 2, 2])
    return Truth(RegionFile(path), "test")


def pictures(truth):
    return [read_image(truth.region_file.image_bytes(image.index)) for image in truth.images]


def run(model, truth, path, protocol="images", writer=JsonWriter, batch_size=2):
    wanted = Wanted(model.detection, model.generation, proposal_recall=None)
    output = writer(path, {})
    figures = run_model(model, truth, wanted, {protocol: output}, batch_size)
    output.close({"complete": True})
    return figures.to_json(wanted)


@pytest.mark.parametrize(
    ("name", "writer"), [("a.json", JsonWriter), ("a.jsonl", JsonLinesWriter), ("a.csv", CsvWriter)]
)
def test_files_are_read_back_as_captions_of_whole_images(truth, tmp_path, name, writer):
    assert truth.describes_whole_images
    model = small_image_captioner(seed=2).eval()
    figures = run(model, truth, tmp_path / name, writer=writer)
    predictions = read_predictions(tmp_path / name)
    assert predictions.whole_images
    part = join_part(predictions, truth)
    assert part.protocol == "images" and part.warnings == []
    assert part.captions == [own[0].caption for own in model.caption_images(pictures(truth))]
    report = evaluate(
        Inputs(truth, predictions, model=figures), Choice(("bleu", "dense_map", "proposal_recall"))
    ).report
    captions = report["protocols"]["images"]["captions"]
    assert (captions["captions"], captions["references"]) == (5, 10)
    assert report["skipped"]["proposal_recall"] == "needs a model that finds boxes"
    assert "needs boxes" in report["skipped"]["dense_map"]


def test_perplexity_is_that_of_every_caption(truth, tmp_path):
    model = small_image_captioner(seed=2).eval()
    figures = run(model, truth, tmp_path / "a.json")
    log_prob, count = 0.0, 0
    for picture, image in zip(pictures(truth), truth.images):
        feature = model.image_features([picture])
        for text in image.captions:
            words = model.vocabulary.encode(text.split())
            log_prob += float(score_captions(model.decoder, feature, torch.tensor([words])))
            count += len(words) + 1
    assert count == 30
    assert figures["perplexity"] == pytest.approx(np.exp(-log_prob / count), rel=1e-5)


def test_boxes_in_the_file_are_the_whole_original(truth, tmp_path):
    run(small_image_captioner().eval(), truth, tmp_path / "a.json")
    images = json.loads((tmp_path / "a.json").read_text())["images"]
    assert [region["box"] for image in images for region in image["regions"]] == [[0, 0, 128, 96]] * 5
    images[0]["regions"].append(dict(images[0]["regions"][0]))
    (tmp_path / "b.json").write_text(json.dumps({"version": 1, "images": images}))
    assert not read_predictions(tmp_path / "b.json").whole_images


def test_true_boxes_are_described_where_there_are_regions(tmp_path):
    truth = Truth(RegionFile(write_fake(tmp_path / "a.h5", ["val"] * 3, [2, 3, 2], [(48, 64)] * 3)), "val")
    assert not truth.describes_whole_images
    model = small_image_captioner(seed=2).eval()
    run(model, truth, tmp_path / "t.json", "truth")
    predictions = read_predictions(tmp_path / "t.json")
    assert not predictions.whole_images
    for own, picture, image in zip(predictions.images, pictures(truth), truth.images):
        found = model.caption_boxes([picture], [torch.from_numpy(image.boxes).float()])[0]
        assert own.captions == [region.caption for region in found]
        assert own.numbers == pytest.approx(image.boxes, abs=0.01)
