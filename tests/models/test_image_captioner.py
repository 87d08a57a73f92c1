"""Captions of whole images: the loss by hand, boxes that share their features, what a frozen backbone does not do."""

import math
from functools import partial

import pytest
import torch

from densecap.errors import UserError
from densecap.models.backbones.precomputed import Precomputed
from densecap.models.decoders.lstm import LSTMDecoder
from densecap.models.decoders.mrnn import MRNNDecoder
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.feature_file import write_feature_file
from densecap.models.generation import GenerationSettings, generate, score_captions
from densecap.models.recognition.fully_connected import Recognition
from densecap.models.views import views
from densecap.structures import Batch, Regions
from tests.fakes.feature_recipe import recipe
from tests.fakes.whole_images import noise, small_image_captioner, whole_batch

DECODERS = {
    "lstm": partial(LSTMDecoder, embedding_dim=10, hidden_dim=12),
    "mrnn": partial(MRNNDecoder, embedding_dim=6, hidden_dim=8, multimodal_dim=10),
}


def pictures(batch):
    return [image[:, :h, :w] for image, (h, w) in zip(batch.images, batch.image_sizes)]


@pytest.mark.parametrize("name", DECODERS)
def test_the_loss_is_bits_a_word(name):
    """Minus the binary logarithm of every true word and END, over their number."""
    model, batch = small_image_captioner(decoder=DECODERS[name]).eval(), whole_batch()
    features = model.image_features(pictures(batch))
    bits, count = 0.0, 0
    for image, regions in enumerate(batch.regions):
        for row in regions.tokens:
            words = row[row > 0][None]
            bits -= score_captions(model.decoder, features[image : image + 1], words).item() / math.log(2)
            count += words.shape[1] + 1
    assert count == 21
    assert model(batch)["caption"].item() == pytest.approx(bits / count, rel=1e-5)


def test_a_decoder_that_knows_nothing_costs_the_logarithm_of_the_words():
    model = small_image_captioner()
    torch.nn.init.zeros_(model.decoder.output.weight), torch.nn.init.zeros_(model.decoder.output.bias)
    assert model(whole_batch())["caption"].item() == pytest.approx(math.log2(31))


@pytest.mark.parametrize("buckets", [2, 3, 99])
def test_buckets_change_neither_loss_nor_gradient(buckets):
    batch, plain, bucketed = whole_batch(), small_image_captioner(), small_image_captioner(length_buckets=buckets)
    losses = [model(batch)["caption"] for model in (plain, bucketed)]
    torch.testing.assert_close(losses[0], losses[1])
    for loss in losses:
        loss.backward()
    for one, other in zip(plain.parameters(), bucketed.parameters()):
        torch.testing.assert_close(one.grad, other.grad)
    features = plain.image_features(pictures(batch))[[0, 0, 0, 1, 1]]
    tokens = torch.cat([regions.tokens for regions in batch.regions])
    torch.testing.assert_close(bucketed.caption_losses(features, tokens), plain.decoder.loss(features, tokens))


def test_captions_of_a_box_share_one_run_of_the_backbone(monkeypatch):
    model, batch = small_image_captioner(), whole_batch()
    seen = []
    original = model.backbone.image_features
    monkeypatch.setattr(model.backbone, "image_features", lambda x: seen.append(len(x)) or original(x))
    model(batch)
    assert sum(seen) == 2
    batch.regions[0].boxes[2] = torch.tensor([4.0, 4, 30, 30])
    model(batch)
    assert sum(seen) == 2 + 3


def test_a_box_is_seen_as_if_it_were_the_picture():
    model = small_image_captioner().eval()
    image, box = noise(48, 64), torch.tensor([[0.0, 0, 64, 48], [10, 8, 42, 40], [10, 8, 42, 40]])
    features = model.box_features(image[None], [(48, 64)], [box])
    cut = small_image_captioner(image_size=32).eval().image_features([image[:, 8:40, 10:42]])
    torch.testing.assert_close(features[1], cut[0])
    torch.testing.assert_close(features[2], cut[0])
    torch.testing.assert_close(features[0], model.image_features([image])[0])
    assert (features[0] - features[1]).abs().max() > 1e-3


def test_batch_mates_and_padding_change_nothing():
    model, batch = small_image_captioner().eval(), whole_batch()
    together = model.box_features(batch.images, batch.image_sizes, [regions.boxes for regions in batch.regions])
    for index, (rows, image) in enumerate(zip(together.split([3, 2]), pictures(batch))):
        alone = model.box_features(image[None], [batch.image_sizes[index]], [batch.regions[index].boxes])
        torch.testing.assert_close(rows, alone)


def test_ten_crops_are_averaged():
    model = small_image_captioner(crop="ten").eval()
    image = noise(48, 64)
    expected = model.backbone.image_features(views(image, 32, "ten")).mean(dim=0)
    torch.testing.assert_close(model.image_features([image])[0], expected)


def test_a_fixed_backbone_is_neither_trained_nor_in_training_mode():
    model, batch = small_image_captioner(), whole_batch()
    model.backbone.set_trainable(False)
    model.train()
    assert model.decoder.training and not any(module.training for module in model.backbone.modules())
    model(batch)["caption"].backward()
    assert all(parameter.grad is None for parameter in model.backbone.parameters())
    assert all(parameter.grad is not None for parameter in model.decoder.parameters())
    model.backbone.set_trainable(True)
    model.train()
    assert model.backbone.training
    model(batch)["caption"].backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.backbone.parameters())


def test_a_caption_for_each_whole_picture():
    model = small_image_captioner().eval()
    images, settings = [noise(96, 128, 1), noise(30, 20, 2)], GenerationSettings(max_length=5)
    found = model.caption_images(images, generation=settings)
    assert [len(own) for own in found] == [1, 1]
    assert [own[0].box for own in found] == [(0, 0, 128, 96), (0, 0, 20, 30)]
    assert all(own[0].score == 1 for own in found)
    captions = generate(model.decoder, model.image_features(images), settings, model.vocabulary)
    assert [own[0].caption for own in found] == [model.vocabulary.decode(row) for row in captions.tokens.tolist()]
    assert [own[0].log_prob for own in found] == pytest.approx(captions.log_probs.tolist(), rel=1e-5)
    assert model.caption_images([]) == []


def test_given_boxes_are_described_in_their_order():
    model = small_image_captioner().eval()
    image, boxes = noise(96, 128), torch.tensor([[20.5, 10, 90, 80], [0, 0, 128, 96], [20.5, 10, 90, 80]])
    (found,) = model.caption_boxes([image], [boxes])
    assert [region.box for region in found] == [tuple(box) for box in boxes.tolist()]
    assert found[1].caption == model.caption_images([image])[0][0].caption
    assert found[0].log_prob == found[2].log_prob != found[1].log_prob
    assert model.caption_boxes([image], [torch.zeros(0, 4)]) == [[]]


def test_an_image_without_captions_trains():
    model, batch = small_image_captioner(), whole_batch()
    batch.regions = [Regions(torch.zeros(0, 4), torch.zeros(0, 3, dtype=torch.long)) for _ in range(2)]
    assert model(batch)["caption"].item() == 0


def test_scaling_stands_between_backbone_and_decoder():
    batch = whole_batch()
    plain, scaled = small_image_captioner().eval(), small_image_captioner(feature_scaling="unit").eval()
    features = plain.image_features(pictures(batch))
    expected = features / features.norm(dim=1, keepdim=True)
    torch.testing.assert_close(scaled.image_features(pictures(batch)), expected)
    torch.testing.assert_close(scaled.backbone_features(pictures(batch)), features)
    (regions,) = scaled.caption_images(pictures(batch)[:1])
    said = generate(plain.decoder, expected[:1], plain.generation, plain.vocabulary)
    assert regions[0].log_prob == pytest.approx(said.log_probs.item(), rel=1e-5)
    tokens = torch.cat([regions.tokens for regions in batch.regions])
    nats = plain.decoder.loss(expected[[0, 0, 0, 1, 1]], tokens).sum()
    torch.testing.assert_close(scaled(batch)["caption"], nats / math.log(2) / 21)


def test_options_are_checked():
    with pytest.raises(UserError, match="model.crop=circle"):
        small_image_captioner(crop="circle")
    with pytest.raises(UserError, match="model.feature_scaling=whitened is not known: it must be none, unit, standard"):
        small_image_captioner(feature_scaling="whitened")
    with pytest.raises(UserError, match="model.length_buckets is a whole number above 0, got 0"):
        small_image_captioner(length_buckets=0)


@pytest.fixture
def precomputed(tmp_path):
    """Features of the batch's pictures, and the captioner that computed them."""
    model, batch = small_image_captioner().eval(), whole_batch()
    with torch.no_grad():
        features = model.image_features(pictures(batch)).numpy()
    path = tmp_path / "features.h5"
    write_feature_file(path, recipe(), ["b", "a"], {"images/features": (features.shape, [features[[1, 0]]])})
    return path, model, batch


def test_features_looked_up_give_the_loss_of_features_computed(precomputed):
    path, model, batch = precomputed
    looked_up = small_image_captioner(Precomputed(str(path))).eval()
    looked_up.decoder.load_state_dict(model.decoder.state_dict())
    blind = Batch(torch.zeros(2, 3, 0, 0), batch.image_sizes, batch.regions, ["a", "b"], batch.original_sizes)
    torch.testing.assert_close(looked_up(blind), model(batch))
    assert not looked_up.needs_pixels and model.needs_pixels
    assert set(looked_up.state_dict()) == {f"decoder.{name}" for name in model.decoder.state_dict()}
    torch.testing.assert_close(looked_up.image_features([], ["b"]), model.image_features(pictures(batch))[1:])


def test_features_looked_up_are_of_whole_images_that_are_there(precomputed):
    path, model, batch = precomputed
    looked_up = small_image_captioner(Precomputed(str(path)))
    batch.regions[1].boxes[0, 2] = 30
    with pytest.raises(UserError, match="has features of whole images, but this data set describes regions"):
        looked_up(batch)
    with pytest.raises(UserError, match="has no features of image c"):
        looked_up.image_features([], ["c"])
    with pytest.raises(UserError, match="knows images by their ids"):
        looked_up.caption_images([noise(9, 9)])
    with pytest.raises(UserError, match="cannot be trained"):
        Precomputed(str(path), trainable=True)
    with pytest.raises(UserError, match="has no feature maps, which a dense captioner needs"):
        DenseCaptioner(model.vocabulary, Precomputed(str(path)), None, Recognition, DECODERS["lstm"])


def test_features_of_another_data_set_are_refused(precomputed):
    backbone = Precomputed(str(precomputed[0]))
    backbone.check("flickr8k", ["b", "a"], 224)
    with pytest.raises(UserError, match="was made of data=flickr8k, not of coco"):
        backbone.check("coco", ["b", "a"], 224)
    with pytest.raises(UserError, match="was made of other images of flickr8k than are prepared now"):
        backbone.check("flickr8k", ["a", "b", "c"], 224)
    with pytest.raises(UserError, match="of images of 224 pixels, data.image_size is 720"):
        backbone.check("flickr8k", ["b", "a"], 720)


@pytest.mark.parametrize("layer", ["refined", "regions"])
def test_features_of_another_layer_are_refused(layer, tmp_path):
    path = tmp_path / "other.h5"
    names = {"refined": ["images/features"], "regions": ["regions/codes", "regions/boxes", "regions/scores"]}[layer]
    write_feature_file(path, recipe(layer=layer), [], {name: ((0, 4), []) for name in names})
    with pytest.raises(UserError, match=f"holds {layer} features, a model is trained on features.layer=backbone"):
        Precomputed(str(path))
