"""Settings of what a model does and of how a command runs: every member is built by the commands' own functions."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import pytest
import torch
from hydra.core.plugins import Plugins
from hydra.core.utils import configure_log
from hydra.types import HydraContext
from rich.console import Console

from densecap import checkpoint
from densecap.builder import build
from densecap.cli.composition import opened
from densecap.commands.reranking import make_reranker, with_hypotheses
from densecap.data.hdf5 import RegionFile
from densecap.metrics.keyed import KeyedMetric
from densecap.metrics.retrieval_settings import RetrievalSettings
from densecap.models.generation import GenerationSettings
from densecap.models.settings import DetectionSettings
from densecap.sweeps import plugins
from densecap.sweeps.launcher import ProcessLauncher
from densecap.sweeps.strategies import pruner_of, sampler_of
from tests.configs.yaml_files import ROOTS, chosen_groups, composed, each_of, need_package
from tests.fakes.small_model import WHOLE, save_small_model
from tests.fakes.whole_images import small_image_captioner, write_whole_images

pytestmark = pytest.mark.usefixtures("folder")


@each_of("metric")
def test_every_metric_builds(name, make_captioner):
    """For eval, and for training both kinds of models, of which one finds no boxes; retrieval is for eval alone."""
    for root, finds_boxes in (("eval", True), ("train", True), ("train", False)):
        config = composed(root, f"metric=[{name}]")
        metrics = {key: build(node) for key, node in config.metric.items()}
        assert list(metrics) == ([] if name == "none" else [name])
        for metric in metrics.values():
            assert isinstance(metric, RetrievalSettings if name == "retrieval" else KeyedMetric)
        if root == "train":
            check_in_training(name, config, make_captioner() if finds_boxes else small_image_captioner())


def check_in_training(name, config, model):
    """What is reported after an epoch, or the sentence that says why nothing is."""
    callback = build(config.callbacks.metrics)
    callback.suit(model)
    of_boxes = any(metric.judges_boxes for metric in callback._wanted.values())
    left_out = not model.finds_boxes and (of_boxes or name == "perplexity")  # which its task logs by itself
    if name == "none" or left_out:
        assert callback.names == [] and callback.problems == []
    elif callback.problems:
        assert f"metric=[{name}] is not or not wholly reported" in callback.problems[0]
    else:
        assert f"val/{callback.metrics[name].figure}" in callback.names and name != "retrieval"


@each_of("detection")
def test_every_detection_finds_boxes(name, batch, make_captioner):
    settings = build(composed("train", f"detection={name}").detection)
    assert isinstance(settings, DetectionSettings)
    found = make_captioner().eval().detect(batch.images, batch.image_sizes, settings)
    assert len(found) == 2 and all(len(own.boxes) > 0 for own in found)


@each_of("generation")
def test_every_generation_describes(name, make_captioner):
    settings = build(composed("train", f"generation={name}").generation)
    assert isinstance(settings, GenerationSettings)
    boxes = [torch.tensor([[4.0, 4, 20, 22]])]
    with torch.no_grad():
        ((region,),) = make_captioner().eval().caption_boxes([torch.zeros(3, 48, 64).byte()], boxes, settings)
    assert isinstance(region.caption, str) and len(region.captions or [region.caption]) == settings.num_captions


@each_of("rerank")
def test_every_reranker_ranks(name, folder):
    config = composed("eval", f"rerank={name}")
    generation = with_hypotheses(config, GenerationSettings())
    if name == "none":
        assert generation == GenerationSettings()
        return
    assert generation.num_captions == generation.beam_size == config.rerank.num_captions
    file = RegionFile(write_whole_images(folder / "a.h5", ["train"] * 4 + ["test"]))
    loaded = checkpoint.load(save_small_model(folder / "m.ckpt", WHOLE))
    reranker = make_reranker(config, loaded, file, Console(quiet=True))
    features = reranker.features[:1] if reranker.needs_features else None
    (ranked,) = reranker.rank([["word1 word2", "word1 word0 word3", "word9"]], features)
    assert sorted(ranked.order) == [0, 1, 2]


@each_of("paths")
def test_every_set_of_paths_is_known_to_a_run(name):
    config = composed("train", f"paths={name}")
    assert config.paths.output_dir == "RUN" and config.paths.outputs and config.paths.data


@each_of("hydra")
def test_every_form_of_hydra_sets_logging_up(name, folder, capsys):
    root = next(root for root in ROOTS if chosen_groups(root)["hydra"] == name)
    (folder / "RUN").mkdir()
    config = composed(root)
    assert config.hydra.runtime.choices.hydra == name and config.hydra.job.chdir is False
    configure_log(config.hydra.job_logging)
    logging.getLogger("densecap").warning("told")
    assert "told" in capsys.readouterr().err
    assert bool(list(Path("RUN").iterdir())) is (name == "default")


@each_of("hydra/sweeper")
@pytest.mark.parametrize("search", [None, "densecap_optuna", "mrnn_optuna"])
def test_every_sweeper_is_made_by_hydra(name, search):
    need_package(f"hydra/sweeper/{name}")
    chosen = [f"hparams_search={search}", "model=mrnn_vgg16"] if search else [f"hydra/sweeper={name}"]
    sweeper = sweeper_of(*chosen)
    assert (type(sweeper).__name__, sweeper.study_name) == ("OptunaSweeper", search)
    assert sampler_of(sweeper.sampler, 0) is not None and pruner_of(sweeper.pruner) is not None


@each_of("hydra/launcher")
def test_every_launcher_is_made_by_hydra(name):
    assert isinstance(sweeper_of(f"hydra/launcher={name}", "hydra/sweeper=optuna").launcher, ProcessLauncher)


def sweeper_of(*options: str):
    """With its launcher, as ``train -m`` has it."""
    plugins.register()
    config = composed("train", *options)
    with opened() as loader:
        context = HydraContext(config_loader=loader, callbacks=None)
        make = partial(Plugins.instance().instantiate_sweeper, config=config, hydra_context=context)
        return make(task_function=lambda cfg: None)
