"""Every file of configs/ composes wherever it is used, and what it asks for can be called as it asks."""

import copy
import dataclasses

import pytest
from omegaconf import OmegaConf

from densecap.benchmark.metrics.sizes import Sizes
from densecap.cli.table import COMMANDS
from densecap.commands.prediction_job import drawing_style
from densecap.commands.reranking import is_asked_for
from densecap.commands.serve import _limits
from densecap.prediction.sources import SourceSettings
from densecap.serving.limits import Limits
from tests.configs import binding
from tests.configs.yaml_files import FILES, MEMBERS, ROOTS, compositions, of_group, plain


def test_every_file_is_composed_into_some_command():
    """The roots are the commands, and no member of a group is without one."""
    assert sorted(ROOTS) == sorted(command.config_name for command in COMMANDS)
    assert sorted([*ROOTS, *MEMBERS]) == FILES
    assert [file for file in FILES if not compositions(file)] == []


@pytest.mark.parametrize("file", FILES)
def test_every_file_composes_and_binds(file):
    composes_and_binds(*compositions(file)[0])


@pytest.mark.long
@pytest.mark.parametrize("file", [file for file in FILES if len(compositions(file)) > 1])
def test_every_file_composes_in_every_other_command(file):
    for root, overrides in compositions(file)[1:]:
        composes_and_binds(root, overrides)


def composes_and_binds(root, overrides):
    config = plain(root, *overrides)
    assert binding.mistakes(config) == [], f"{root} {' '.join(overrides)}"
    for section in ("callbacks", "logger", "metric"):  # of which those without a target would not be built, unsaid
        lost = [name for name, node in config.get(section, {}).items() if node and "_target_" not in node]
        assert lost == [], f"{root} {' '.join(overrides)}: {section} {lost}"


@pytest.mark.long
@pytest.mark.parametrize("debug", of_group("debug"))
@pytest.mark.parametrize("experiment", of_group("experiment"))
def test_every_experiment_goes_with_every_way_of_debugging(experiment, debug):
    assert binding.mistakes(plain("train", f"experiment={experiment}", f"debug={debug}")) == []


@pytest.mark.parametrize("root", ["benchmark", "download"])
def test_a_model_that_chooses_a_task_composes_where_there_is_no_training(root):
    assert plain(root, "model=mrnn_vgg16")["task"]["_target_"].endswith("ImageCaptioningTask")


def test_a_composition_holds_what_was_chosen():
    """So that the walk sees nodes of every part, those of Hydra included."""
    config = plain("train", "model/backbone=resnet50", "hydra/sweeper=optuna", "hydra/launcher=process")
    targets = {place: node["_target_"].rpartition(".")[2] for place, node in binding.nodes(config)}
    assert targets["model.backbone"] == "ResNet50" and targets["data.reader"] == "VisualGenome"
    assert (targets["hydra.sweeper"], targets["hydra.launcher"]) == ("OptunaSweeper", "ProcessLauncher")
    assert {"model", "model.decoder", "task", "task.weights", "metric.dense_map.scorer", "trainer"} <= set(targets)
    assert config["paths"]["output_dir"] == config["trainer"]["default_root_dir"] == "RUN"


@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        ("model.decoder", {"hiden_dim": 3}, "LSTMDecoder takes no hiden_dim"),
        ("model.backbone", {"_target_": "densecap.models.backbones.vgg16.VGG61"}, "there is no densecap.models.back"),
        (
            "model.recognition",
            {"_target_": "densecap.models.recogniton.Recognition"},
            "there is no densecap.models.rec",
        ),
        ("model", {"image_sise": 3}, "DenseCaptioner takes no image_sise"),
        ("task.weights", {"boxes": 1.0}, "LossWeights takes no boxes"),
        ("task", {"_partial_": False, "sampling_sed": 1}, "DenseCaptioningTask takes no sampling_sed"),
        ("optimizer", {"learning_rate": 1.0}, "torch.optim.Adam takes no learning_rate"),
        ("scheduler", {"warmup": 5}, "constant takes no warmup"),
        ("trainer", {"max_epoch": 5}, "pytorch_lightning.Trainer takes no max_epoch"),
        ("trainer", {"_target_": "subprocess.Popen"}, "subprocess.Popen is nothing that may be built"),
        ("logger.csv", {"save_dri": "x"}, "CsvTable takes no save_dri"),
        ("logger.tensorboard", {"flush_sec": 3}, "TensorBoardLogger takes no flush_sec"),
        ("logger.wandb", {"grup": "x"}, "WandbLog takes no grup"),
        ("logger.mlflow", {"experimnt_name": "x"}, "MlflowLog takes no experimnt_name"),
        ("callbacks.checkpoint", {"every": 3}, "BestAndLast takes no every"),
        ("callbacks.learning_rate", {"_partial_": True}, "whose other arguments nobody is known to give"),
        ("data.reader", {"vresion": "1.2"}, "VisualGenome takes no vresion"),
        ("metric.dense_map.scorer", {"backnd": "jar"}, "MeteorScores takes no backnd"),
        ("hydra.launcher", {"njobs": 2}, "ProcessLauncher takes no njobs"),
        ("hydra.sweeper", {"n_trial": 2}, "OptunaSweeper takes no n_trial"),
    ],
)
def test_a_misspelt_argument_or_target_is_caught(place, change, said):
    loggers = "logger=[csv,tensorboard,wandb,mlflow]"
    config = copy.deepcopy(plain("train", loggers, "hydra/launcher=process", "hydra/sweeper=optuna"))
    assert binding.mistakes(config) == []
    dict(binding.nodes(config))[place].update(change)
    (mistake,) = binding.mistakes(config)
    assert mistake.startswith(f"{place}: ") and said in mistake


def test_a_missing_argument_is_caught():
    config = copy.deepcopy(plain("train"))
    del config["data"]["reader"]["root"], config["model"]["backbone"]
    assert [mistake.partition(":")[0] for mistake in binding.mistakes(config)] == ["data.reader", "model"]
    assert "missing a required argument: 'root'" in binding.mistakes(config)[0]


def test_sections_without_a_target_are_what_their_readers_take(tmp_path):
    """Those that a command hands to a dataclass, by the command's own function where it has one."""
    serve, predict, benchmark = (OmegaConf.create(plain(root)) for root in ("serve", "predict", "benchmark"))
    assert set(serve.limits) == {field.name for field in dataclasses.fields(Limits)}
    assert _limits(serve).max_upload == serve.limits.max_upload
    assert SourceSettings(**predict.frames).stride == predict.frames.stride
    assert drawing_style(predict).num_to_draw == predict.output.num_to_draw
    sizes = Sizes.of(OmegaConf.to_container(benchmark.metrics), benchmark.seed, benchmark.repeats)
    assert sizes.dense_predictions == tuple(benchmark.metrics.dense_predictions)


@pytest.mark.parametrize("name", of_group("rerank"))
def test_rerankers_are_known_by_their_name(name):
    config = OmegaConf.create(plain("eval", *(() if name == "none" else (f"rerank={name}",))))
    assert config.rerank.name == name and is_asked_for(config) is (name != "none")
