"""Retrieval on a split: the same as scoring every pair and sorting; features looked up or computed."""

import io
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from rich.console import Console

from densecap.checkpoint import LoadedModel
from densecap.commands.eval_retrieval import Estimate, duration, retrieval_on_split
from densecap.data.hdf5 import RegionFile
from densecap.data.images import decode_image
from densecap.errors import UserError
from densecap.evaluation.image_vectors import ImageVectors, refined_vectors
from densecap.evaluation.truth import Truth
from densecap.models.decoders.lstm import LSTMDecoder
from densecap.models.decoders.mrnn import MRNNDecoder
from densecap.models.feature_file import write_feature_file
from densecap.models.feature_recipe import digest_of_ids, digest_of_weights
from densecap.models.generation import score_captions
from tests.fakes.feature_recipe import recipe
from tests.fakes.whole_images import small_image_captioner, write_whole_images

MRNN = partial(MRNNDecoder, embedding_dim=6, hidden_dim=8, multimodal_dim=10)
LSTM = partial(LSTMDecoder, embedding_dim=6, hidden_dim=8)
SPLITS = ["train"] * 5 + ["val"] + ["test"] * 6


@pytest.fixture
def source(tmp_path):
    return RegionFile(write_whole_images(tmp_path / "a.h5", SPLITS, captions=3))


def loaded_model(decoder=MRNN, backbone=None, **options):
    model = small_image_captioner(decoder=decoder, **options).eval()
    with torch.no_grad():  # so that images make a difference
        for parameter in model.parameters():
            parameter.mul_(3)
    return LoadedModel(model, {"model": {"backbone": backbone or {}}}, Path("model.ckpt"), "wholes")


def options(**settings):
    target = "densecap.metrics.retrieval_settings.RetrievalSettings"
    return OmegaConf.create({"batch_size": 4, "metric": {"retrieval": {"_target_": target, **settings}}})


def measured(source, loaded, **settings):
    said = io.StringIO()
    console = Console(file=said, width=200)
    return retrieval_on_split(options(**settings), loaded, Truth(source, "test"), console), said.getvalue()


def vectors_of(source, model, rows):
    pictures = [decode_image(source.image_bytes(row), "") for row in rows]
    with torch.no_grad():
        return torch.cat([model.image_features([picture]) for picture in pictures])


def log_probs_of(source, model, rows):
    """(I, S) a pair at a time, of the 18 sentences of the test images."""
    words = [source.regions(row)[1] for row in range(6, 12)]
    tokens = torch.from_numpy(np.concatenate(words)).long()
    features = vectors_of(source, model, rows)
    return np.array([[float(score_captions(model.decoder, i[None], t[None])) for t in tokens] for i in features])


def first_own(order, own):
    return 1 + min(place for place, item in enumerate(order) if item in own)


@pytest.mark.parametrize("decoder", [MRNN, LSTM])
@pytest.mark.parametrize("correction", ["marginal", "none"])
def test_figures_are_those_of_sorting_all_pairs(source, decoder, correction):
    loaded = loaded_model(decoder)
    figures, said = measured(source, loaded, correction=correction)
    log_probs = log_probs_of(source, loaded.model, range(6, 12))
    training = log_probs_of(source, loaded.model, range(5))
    marginal = np.log(np.exp(training).mean(axis=0)) if correction == "marginal" else 0.0
    scores = log_probs - marginal
    sentences = [first_own(np.argsort(-scores[i]).tolist(), {3 * i, 3 * i + 1, 3 * i + 2}) for i in range(6)]
    images = [first_own(np.argsort(-log_probs[:, s]).tolist(), {s // 3}) for s in range(18)]
    for name, ranks in (("sentence_from_image", sentences), ("image_from_sentence", images)):
        found = figures[name]
        assert [found["R@1"], found["R@5"]] == [np.mean(np.array(ranks) <= k) for k in (1, 5)]
        assert found["median_rank"] == np.median(ranks)
    assert figures["num_marginal"] == (5 if correction == "marginal" else 0)
    assert ("every sentence is read to every image" in said) == (decoder is LSTM)
    assert "retrieval: 6 images and" in said


def test_the_mean_image_corrects_as_an_image_of_its_own(source):
    loaded = loaded_model()
    figures, _ = measured(source, loaded, correction="mean_image")
    log_probs = log_probs_of(source, loaded.model, range(6, 12))
    mean = vectors_of(source, loaded.model, range(5)).mean(dim=0)
    tokens = torch.from_numpy(np.concatenate([source.regions(row)[1] for row in range(6, 12)])).long()
    other = np.array([float(score_captions(loaded.model.decoder, mean[None], words[None])) for words in tokens])
    scores = log_probs - other
    ranks = [first_own(np.argsort(-scores[i]).tolist(), {3 * i, 3 * i + 1, 3 * i + 2}) for i in range(6)]
    assert figures["sentence_from_image"]["median_rank"] == np.median(ranks)


def test_fewer_training_images_can_be_drawn(source):
    figures, _ = measured(source, loaded_model(), num_marginal=2)
    assert figures["num_marginal"] == 2


def test_a_file_without_training_images_corrects_nothing(tmp_path):
    source = RegionFile(write_whole_images(tmp_path / "b.h5", ["test"] * 3))
    figures, _ = measured(source, loaded_model())
    assert figures["correction"] == "none"


def feature_file(path, source, model, **changes):
    known = {"data_name": "wholes", "ids_sha256": digest_of_ids(source.ids), "image_size": 64, "input_size": 32}
    made = recipe(**{**known, "weights_sha256": digest_of_weights(model.backbone), **changes})
    features = np.arange(12 * model.decoder.feature_dim, dtype=np.float32).reshape(12, -1)
    write_feature_file(path, made, source.ids, {"images/features": (features.shape, [features])})
    return features


def test_features_are_looked_up_where_they_are_known(tmp_path, source):
    loaded = loaded_model()
    features = feature_file(tmp_path / "f.h5", source, loaded.model)
    given = ImageVectors(loaded, source, str(tmp_path / "f.h5"), 2)
    assert given([3, 1]).tolist() == features[[3, 1]].tolist()
    scaled = loaded_model(feature_scaling="unit")
    feature_file(tmp_path / "s.h5", source, scaled.model)
    torch.testing.assert_close(ImageVectors(scaled, source, str(tmp_path / "s.h5"), 2)([3]).norm(dim=1), torch.ones(1))
    trained = loaded_model(backbone={"file": str(tmp_path / "f.h5")})
    assert ImageVectors(trained, source, None, 2)([3, 1]).tolist() == features[[3, 1]].tolist()


def test_features_are_computed_where_they_are_not_known(tmp_path, source):
    feature_file(tmp_path / "f.h5", source, loaded_model().model, weights_sha256="1" * 64)
    seen = []
    loaded = loaded_model(backbone={"file": str(tmp_path / "f.h5")})  # of other weights by now
    vectors = ImageVectors(loaded, source, None, 2)([0, 7, 11], seen.append)
    torch.testing.assert_close(vectors, vectors_of(source, loaded.model, [0, 7, 11]), atol=1e-4, rtol=1e-4)
    assert seen == [2, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights_sha256": "1" * 64}, "other weights than the model has"),
        ({"crop": "ten"}, "was made with ten of 32 pixels, the model sees squash of 32"),
        ({"data_name": "flickr8k"}, "was made of data=flickr8k"),
        ({"image_size": 48}, "images of 48 pixels"),
        ({"ids_sha256": digest_of_ids(["a"])}, "other images"),
    ],
)
def test_features_of_something_else_are_refused(tmp_path, source, change, message):
    loaded = loaded_model()
    feature_file(tmp_path / "f.h5", source, loaded.model, **change)
    with pytest.raises(UserError, match=message):
        ImageVectors(loaded, source, str(tmp_path / "f.h5"), 2)


def test_refined_features_are_those_of_the_multimodal_layer():
    features = torch.randn(3, loaded_model().model.decoder.feature_dim)
    model = loaded_model().model
    torch.testing.assert_close(refined_vectors(model, features), model.decoder.refined(features))
    assert refined_vectors(loaded_model(LSTM).model, features) is features


def test_the_estimate_is_said_once(monkeypatch):
    times = iter([100.0, 103.0, 106.0, 110.0])
    monkeypatch.setattr("densecap.commands.eval_retrieval.time.perf_counter", lambda: next(times))
    said = io.StringIO()
    estimate = Estimate(Console(file=said, width=200))
    for done in (10, 20, 40, 50):
        estimate(done, 1000)
    assert said.getvalue() == "retrieval takes about 3 minutes\n"  # 30 pairs in 6 s, so 1,000 in 200 s


def test_durations_in_words():
    assert [duration(seconds) for seconds in (40.2, 1500, 12600)] == ["40 s", "25 minutes", "3.5 hours"]
