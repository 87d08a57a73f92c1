"""What the panel shows is what the model says of these images, and what was annotated."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from densecap.callbacks.panel_images import PanelImage, PanelMaker, spread_boxes
from densecap.callbacks.validation_panel import ValidationPanel
from densecap.data.dataset import RegionDataset
from densecap.data.hdf5 import RegionFile
from densecap.data.images import read_image
from densecap.models.backbones.precomputed import Precomputed
from densecap.models.feature_file import write_feature_file
from densecap.models.generation import GenerationSettings
from tests.conftest import miniature_captioner
from tests.fakes.feature_recipe import recipe
from tests.fakes.region_file import write_fake
from tests.fakes.whole_images import small_image_captioner, write_whole_images

CPU = torch.device("cpu")


def maker(file, count=4, regions=3, pixels=True):
    return PanelMaker(RegionDataset(file, "val", 64, pixels=pixels), "val", count, regions)


@pytest.fixture
def file(tmp_path):
    return write_fake(tmp_path / "a.h5", ["train", "val", "val", "val"], [2, 4, 0, 1], [(48, 64)] * 4)


def test_predicted_boxes_are_the_best_of_the_models(file):
    model = miniature_captioner(seed=2).eval()
    source = RegionFile(file)
    for image in maker(file).panel(model, CPU):
        index = source.ids.index(image.image_id)
        found = model.caption_images([read_image(source.image_bytes(index))])[0][:3]
        assert [region.caption for region in image.predicted] == [region.caption for region in found]
        assert [region.score for region in image.predicted] == pytest.approx([region.score for region in found])
        boxes = [region.box for region in image.predicted]
        assert np.array(boxes) == pytest.approx(np.array([region.box for region in found]), abs=1e-3)


def test_true_boxes_are_the_annotated_ones(file):
    panel = {image.image_id: image for image in maker(file).panel(miniature_captioner().eval(), CPU)}
    assert [region.box for region in panel["image3"].true] == [(0, 0, 10, 20)]
    assert [region.caption for region in panel["image3"].true] == ["a phrase"]
    assert panel["image2"].true == []  # an image without regions is shown, too
    boxes = {region.box for region in panel["image1"].true}
    assert 0 < len(boxes) <= 3 and boxes <= {(r, 2 * r, r + 10, 2 * r + 20) for r in range(4)}


def test_boxes_that_cover_each_other_are_shown_once():
    boxes = np.array([(0, 0, 4, 4), (0, 0, 10, 10), (0, 0, 10, 9), (20, 0, 25, 5), (40, 0, 42, 2)], float)
    assert spread_boxes(boxes, 5) == [1, 3, 0, 4]
    assert spread_boxes(boxes, 2) == [1, 3]
    assert spread_boxes(np.zeros((0, 4)), 3) == []


def test_images_are_spread_over_the_split(tmp_path):
    file = write_fake(tmp_path / "b.h5", ["val"] * 9, [1] * 9, [(48, 64)] * 9)
    assert maker(file, 3).numbers == [0, 4, 8]
    assert maker(file, 1).numbers == [0]
    assert maker(file, 100).numbers == list(range(9))


def test_no_random_number_of_training_is_used(file):
    model = miniature_captioner().eval()
    model.generation = GenerationSettings(temperature=1.0)
    before = torch.get_rng_state()
    first = maker(file).panel(model, CPU)
    second = maker(file).panel(model, CPU)
    assert torch.equal(torch.get_rng_state(), before)
    assert [image.predicted for image in first] == [image.predicted for image in second]


def test_whole_images_have_captions(tmp_path):
    file = write_whole_images(tmp_path / "wholes.h5", ["train", "val", "val"], captions=[1, 3, 0])
    model = small_image_captioner(seed=3).eval()
    source, panel = RegionFile(file), maker(file).panel(model, CPU)
    for image, truths in zip(panel, (["word1 word0", "word1 word1", "word1 word2"], [])):
        picture = read_image(source.image_bytes(source.ids.index(image.image_id)))
        assert image.whole and [region.caption for region in image.true] == truths
        assert [region.caption for region in image.predicted] == [model.caption_images([picture])[0][0].caption]
        assert image.drawn().height > image.photo.height


def test_precomputed_features_are_described_beside_the_stored_photo(tmp_path):
    file = write_whole_images(tmp_path / "wholes.h5", ["train", "val"], captions=2)
    features, path = torch.rand(2, 6).numpy(), tmp_path / "f.h5"
    write_feature_file(path, recipe(), ["image0", "image1"], {"images/features": (features.shape, [features])})
    model = small_image_captioner(Precomputed(str(path))).eval()
    image = maker(file, pixels=False).panel(model, CPU)[0]
    assert image.photo.size == (64, 48) and len(image.predicted) == 1 and len(image.true) == 2


def test_nothing_is_made_for_nobody():
    panel = ValidationPanel(num_images=0)
    trainer = SimpleNamespace(sanity_checking=False, loggers=[object()])
    panel.on_validation_epoch_end(trainer, None)
    ValidationPanel().on_validation_epoch_end(SimpleNamespace(sanity_checking=False, loggers=[]), None)
    assert panel.images == []


def test_both_sides_are_drawn(file):
    image = maker(file).panel(miniature_captioner().eval(), CPU)[0]
    alone = PanelImage(image.image_id, image.photo, [], [])
    assert image.drawn().size == alone.drawn().size
    assert not np.array_equal(np.asarray(image.drawn()), np.asarray(alone.drawn()))
