"""Feature files come back as they were written; recipes say in what they differ."""

import json
import pickle

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from densecap.errors import UserError
from densecap.models.feature_file import FeatureFile, write_feature_file
from densecap.models.feature_recipe import FeatureRecipe, digest_of_ids, digest_of_weights
from tests.fakes.feature_recipe import BACKBONE, recipe


def test_vectors_come_back_by_id(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    pieces = (vectors[start : start + 2] for start in (0, 2, 4))
    path = tmp_path / "new" / "features.h5"
    write_feature_file(path, recipe(), list("abcdé"), {"images/features": ((5, 3), pieces)}, {"created": "today"})
    file = FeatureFile(path)
    assert (len(file), file.feature_dim, file.ids, file.recipe) == (5, 3, list("abcdé"), recipe())
    for copy in (file, pickle.loads(pickle.dumps(file))):
        assert torch.equal(copy.features(["é", "a", "é"]), torch.from_numpy(vectors[[4, 0, 4]]))
        assert torch.equal(copy.features(), torch.from_numpy(vectors))
    with h5py.File(path) as raw:
        assert json.loads(raw.attrs["run"]) == {"created": "today"} and raw["images/features"].dtype == "f4"
    assert [entry.name for entry in path.parent.iterdir()] == ["features.h5"]


def test_regions_come_back_by_image(tmp_path):
    path, first = tmp_path / "regions.h5", np.array([0, 2, 2, 3])
    codes, boxes, scores = (np.arange(3 * width, dtype=np.float32).reshape(3, width) for width in (5, 4, 1))
    arrays = {
        "images/first_region": (first.shape, [first]),
        "regions/codes": (codes.shape, [codes[:2], codes[2:]]),
        "regions/boxes": (boxes.shape, [boxes]),
        "regions/scores": ((3,), [scores[:, 0]]),
    }
    write_feature_file(path, recipe(layer="regions"), ["a", "b", "c"], arrays)
    file = FeatureFile(path)
    assert file.feature_dim == 5
    own = file.regions("a")
    assert all(np.array_equal(one, other) for one, other in zip(own, (codes[:2], boxes[:2], scores[:2, 0])))
    assert [tuple(item.shape) for item in file.regions("b")] == [(0, 5), (0, 4), (0,)]
    with pytest.raises(UserError, match="holds features of regions"):
        file.features(["a"])


def test_too_few_rows_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match="expects 5 rows, got 2"):
        write_feature_file(tmp_path / "a.h5", recipe(), ["a"], {"images/features": ((5, 3), [np.zeros((2, 3))])})
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_feature_file(tmp_path):
    with pytest.raises(UserError, match="there is no feature file at .*none.h5: make it with"):
        FeatureFile(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("text")
    with pytest.raises(UserError, match="is not an HDF5 file"):
        FeatureFile(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.attrs["name"] = "coco"
    with pytest.raises(UserError, match="other.h5 is not a feature file"):
        FeatureFile(tmp_path / "other.h5")
    with h5py.File(tmp_path / "later.h5", "w") as file:
        file.attrs["recipe"], file.attrs["schema_version"] = "{}", 9
    with pytest.raises(UserError, match="has schema version 9, this program reads 1"):
        FeatureFile(tmp_path / "later.h5")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"backbone": {**BACKBONE, "weights": "/elsewhere/net.pth", "trainable": True}}, None),
        ({"crop": "ten"}, "crop is squash, not ten"),
        ({"image_size": 720}, "image_size is 224, not 720"),
        ({"data_name": "coco", "crop": "ten"}, "data_name is flickr8k, not coco"),
        ({"ids_sha256": "1"}, "the images are others"),
        ({"weights_sha256": "1"}, "the weights of MobileNetV2 are others"),
        ({"backbone": {**BACKBONE, "_target_": "a.VGG16"}}, "the backbone is MobileNetV2, not VGG16"),
        ({"backbone": {**BACKBONE, "stride": 32}}, "backbone is "),
        ({"layer": "refined", "checkpoint_sha256": "1"}, "layer is backbone, not refined"),
        ({"checkpoint_sha256": "1"}, "the checkpoint is another"),
    ],
)
def test_recipes_say_in_what_they_differ(changes, said):
    difference = recipe().difference(recipe(**changes))
    assert difference is None if said is None else difference.startswith(said)


def test_a_recipe_survives_json():
    own = recipe(layer="refined", checkpoint_sha256="2" * 64)
    assert FeatureRecipe.from_json(json.loads(json.dumps(own.to_json() | {"of_a_later_version": 1}))) == own
    assert own.without_data().difference(recipe(data_name="coco", layer="refined", checkpoint_sha256="2" * 64)) != ""


def test_the_digest_is_of_the_weights_and_of_nothing_else():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    before = digest_of_weights(network)
    network[1].num_batches_tracked += 1
    network.to(memory_format=torch.channels_last)
    assert digest_of_weights(network.eval().requires_grad_(False)) == before
    with torch.no_grad():
        network[0].bias[2] += 1e-7
    assert digest_of_weights(network) != before
    assert digest_of_ids(["ab", "c"]) != digest_of_ids(["a", "bc"])
