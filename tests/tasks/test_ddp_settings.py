"""What DistributedDataParallel is told: nothing, for every step gives a gradient to everything that learns."""

from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import DDPStrategy

from densecap.builder import build
from densecap.cli.composition import compose
from densecap.models.backbones.mobilenet_v2 import MobileNetV2
from densecap.models.backbones.resnet50 import ResNet50FPN
from densecap.models.decoders.gru import GRUDecoder
from densecap.models.decoders.lstm import LSTMDecoder
from densecap.models.decoders.mrnn import MRNNDecoder
from densecap.models.decoders.mrnn_init import InitDecoder
from densecap.models.decoders.transformer import TransformerDecoder
from densecap.models.idle_parameters import freeze_idle_parameters, idle_parameters
from densecap.structures import Batch, Regions
from densecap.tasks.dense_captioning import DenseCaptioningTask
from densecap.tasks.image_captioning import ImageCaptioningTask
from tests.conftest import miniature_captioner
from tests.fakes.region_file import write_fake
from tests.fakes.whole_images import noise, small_image_captioner
from tests.tasks.equal_devices import Forked, fit
from tests.tasks.test_equal_devices import close, region_file, two_processes

#: Regions of twelve training and three validation images: whole batches of two without any.
FEW_REGIONS = [3, 0, 0, 0, 0, 0, 0, 2, 0, 0, 1, 0, 2, 0, 1]

EMPTY = Regions(torch.zeros(0, 4), torch.zeros(0, 3, dtype=torch.int64))
SEEN = Regions(torch.tensor([[4.0, 4, 20, 22]]), torch.tensor([[1, 2, 3]]))
#: No box of the image touches it, so that no proposal is positive.
OUT_OF_SIGHT = Regions(torch.tensor([[-400.0, -400, -390, -390]]), torch.tensor([[1, 2, 3]]))

TARGET = "pytorch_lightning.strategies.DDPStrategy"

DENSE_SCENES = [(SEEN, SEEN), (SEEN, EMPTY), (EMPTY, EMPTY), (OUT_OF_SIGHT, OUT_OF_SIGHT)]

DECODERS = [
    partial(LSTMDecoder, embedding_dim=8, hidden_dim=8),
    partial(GRUDecoder, embedding_dim=8, hidden_dim=8),
    partial(TransformerDecoder, embedding_dim=8, hidden_dim=8, num_layers=2, num_heads=2),
    MRNNDecoder,
    partial(MRNNDecoder, share_embedding=True, image_input="both_shared"),
    partial(MRNNDecoder, image_input="recurrent", word_input="none"),
    InitDecoder,
]


def batch_of(regions, sizes=((64, 64), (48, 64))):
    images = torch.stack([noise(64, 64, seed) for seed in range(2)])
    return Batch(images, list(sizes), list(regions), ["a", "b"], list(sizes))


def without_gradient(model, regions):
    """Names of what learns and got no gradient in a training step on these regions."""
    cls = DenseCaptioningTask if model.finds_boxes else ImageCaptioningTask
    task = cls(model.train(), None, None)
    task.log_dict = lambda *arguments, **options: None
    task.training_step(batch_of(regions), 0).backward()
    learning = {name: item.grad for name, item in model.named_parameters() if item.requires_grad}
    assert learning and all(grad is None or grad.isfinite().all() for grad in learning.values())
    return [name for name, grad in learning.items() if grad is None]


@pytest.mark.parametrize("compat", [None, "densecap2016"])
@pytest.mark.parametrize("scene", DENSE_SCENES)
def test_every_step_of_the_dense_captioner_reaches_everything(scene, compat):
    assert without_gradient(miniature_captioner(compat), scene) == []


@pytest.mark.parametrize("decoder", DECODERS)
def test_every_decoder_is_reached_with_and_without_regions(decoder):
    for scene in ((SEEN, EMPTY), (EMPTY, EMPTY)):
        model = miniature_captioner()
        model.decoder = decoder(feature_dim=20, vocabulary_size=30)
        assert without_gradient(model, scene) == []
        whole = small_image_captioner(decoder=decoder, feature_scaling="standard")
        assert without_gradient(whole, scene) == []


def test_a_frozen_backbone_leaves_the_rest_its_gradients():
    for model in (miniature_captioner(), small_image_captioner()):
        model.backbone.set_trainable(False)
        assert without_gradient(model, (EMPTY, EMPTY)) == []
        model.backbone.set_trainable(True)
        assert without_gradient(model, (SEEN, EMPTY)) == []


def test_what_whole_images_do_not_see_learns_nothing():
    """The pyramid of a backbone of maps: without a word, two processes would wait for it."""
    forked = small_image_captioner(backbone=Forked())
    names = without_gradient(forked, (SEEN, SEEN))
    assert names == ["backbone.fork.weight", "backbone.fork.bias"]
    assert freeze_idle_parameters(forked) == 2 and without_gradient(forked, (SEEN, SEEN)) == []
    pyramid = small_image_captioner(backbone=ResNet50FPN(weights=None))
    found = {id(item) for item in idle_parameters(pyramid)}
    assert found == {id(item) for item in pyramid.backbone.pyramid.parameters()}


def test_what_maps_do_not_need_learns_nothing():
    model = miniature_captioner()
    model.backbone = MobileNetV2(weights=None, last_block=13, classifier=True)
    beyond = [item for block in model.backbone.features[14:] for item in block.parameters()]
    assert {id(item) for item in idle_parameters(model)} == {id(item) for item in beyond}
    model.backbone = MobileNetV2(weights=None, last_block=13)
    assert idle_parameters(model) == []
    model.backbone.set_trainable(False)
    assert idle_parameters(model) == []


@pytest.mark.parametrize(
    ("typed", "options"),
    [
        ([], {}),
        (["trainer.strategy=ddp_find_unused_parameters_true"], {"find_unused_parameters": True}),
        (
            ["trainer.strategy={_target_:pytorch_lightning.strategies.DDPStrategy,static_graph:true}"],
            {"static_graph": True},
        ),
    ],
)
def test_what_is_typed_is_what_ddp_gets(typed, options):
    """Nothing by default: torch's own defaults are that no parameter goes unused and that steps may differ."""
    overrides = ["trainer.devices=2", "trainer.accelerator=cpu", "paths.output_dir=x", *typed]
    trainer: pl.Trainer = build(compose("train", overrides).trainer, logger=False)
    assert type(trainer.strategy) is DDPStrategy and trainer.strategy._ddp_kwargs == options


@pytest.mark.long
@pytest.mark.parametrize("strategy", ["static", "ddp_find_unused_parameters_true"])
def test_a_backbone_that_learns_later_on_two_processes(tmp_path, strategy):
    file = region_file(tmp_path)
    ranks = two_processes(file, tmp_path, "late", strategy)
    _, alone = fit(file, "late", 1)
    for rank in ranks:
        for one, other in zip(rank["steps"], alone["steps"], strict=True):
            close(one, other)
        close(rank["weights"], alone["weights"], 1e-4)


def few_regions(folder):
    return write_fake(folder / "few.h5", ["train"] * 12 + ["val"] * 3, FEW_REGIONS, [(64, 48)] * 15)


@pytest.mark.long
def test_features_are_scaled_by_what_both_processes_saw(tmp_path):
    """With parts of the backbone that are never run, and shares without a word."""
    file = few_regions(tmp_path)
    ranks = two_processes(file, tmp_path, "forked")
    _, alone = fit(file, "forked", 1)
    assert alone["weights"]["scaling.count"] == 2 * sum(FEW_REGIONS[:12])
    for rank in ranks:
        for one, other in zip(rank["steps"], alone["steps"], strict=True):
            close(one, other)
        close(rank["weights"], alone["weights"], 1e-4)


@pytest.mark.long
def test_a_process_without_captions_learns_from_the_draws_of_the_other(tmp_path):
    first, second = two_processes(few_regions(tmp_path), tmp_path, "critical")
    assert len(first["steps"]) == len(second["steps"]) == 6
    assert first["weights"] == second["weights"]
