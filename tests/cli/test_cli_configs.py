"""Every file in configs/ composes, explains itself, and its keys are what the code takes."""

import pytest
import torch
import yaml

from densecap.builder import build
from densecap.cli.arguments import read
from densecap.cli.checks import check
from densecap.cli.comments import explanation, options
from densecap.cli.composition import compose
from densecap.cli.locations import config_dir
from densecap.cli.table import COMMANDS, find_command
from densecap.cli.trainer_names import ACCELERATORS, PRECISIONS, STRATEGIES
from densecap.commands.train import _optimizer

FILES = sorted(path.relative_to(config_dir()).as_posix() for path in config_dir().rglob("*.yaml"))
MEMBERS = [path.removesuffix(".yaml") for path in FILES if "/" in path and not path.startswith("hydra/")]


@pytest.mark.parametrize("file", FILES)
def test_every_file_says_what_it_is(file):
    assert explanation(config_dir() / file)


@pytest.mark.parametrize("member", MEMBERS)
def test_every_member_composes(member):
    group, _, name = member.rpartition("/")
    arguments = [f"{group}={name}", "data.root=folder"]
    check(read(find_command("eval" if group == "rerank" else "train"), arguments))


@pytest.mark.parametrize("command", [command.config_name for command in COMMANDS])
def test_every_option_of_a_command_is_explained(command):
    assert [option.key for option in options(config_dir() / f"{command}.yaml") if not option.text] == []


@pytest.mark.parametrize(
    ("optimizer", "precision", "clip", "fused"),
    [
        ("adamw", "16-mixed", "null", False),
        ("adam", "16-mixed", "null", False),
        ("adamw", "bf16-mixed", "null", True),
        ("adam", "bf16-mixed", "5", False),
        ("adam", "32", "5", True),
    ],
)
def test_fused_only_where_lightning_may_clip(optimizer, precision, clip, fused):
    """A fused step unscales by itself, after the clipping, which would then see scaled gradients; Lightning refuses
    to clip for it in any mixed precision."""
    options = [f"optimizer={optimizer}", f"trainer.precision={precision}", f"trainer.gradient_clip_val={clip}"]
    cfg = compose("train", options)
    made = _optimizer(cfg)([torch.nn.Parameter(torch.zeros(2))])
    assert made.defaults["fused"] is fused and made.defaults["lr"] == cfg.optimizer.lr


@pytest.mark.parametrize("member", [m for m in MEMBERS if m.startswith("metric/") and m != "metric/retrieval"])
def test_metrics_build(member):
    """Each stands under its own name, and says under which names it will report."""
    from densecap.metrics.keyed import KeyedMetric

    name = member.partition("/")[2]
    metrics = build(compose("train", [f"metric={name}"]).callbacks.metrics.metrics)
    assert list(metrics) == ([] if name == "none" else [name])
    for metric in metrics.values():
        assert isinstance(metric, KeyedMetric) and metric.figure in metric.names()
        assert type(metric).take is not KeyedMetric.take


def test_metrics_are_off_where_an_experiment_says_so(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /metric: none\n", encoding="utf-8"
    )
    _, config = check(read(find_command("train"), ["--config-dir", str(tmp_path), "experiment=mine"]))
    assert config.callbacks.metrics.metrics == {}


def test_trainer_builds(tmp_path):
    trainer = build(compose("train", ["trainer=cpu", f"paths.output_dir={tmp_path}"]).trainer, logger=False)
    assert (trainer.max_epochs, trainer.num_devices, trainer.default_root_dir) == (10, 1, str(tmp_path))


def test_logger_none_is_empty():
    assert set(compose("train", []).logger) == {"csv"}
    assert compose("train", ["logger=none"]).logger == {}
    assert compose("train", ["logger=wandb_offline"]).logger.wandb.offline is True
    assert set(compose("train", ["logger=[mlflow,csv,wandb]"]).logger) == {"mlflow", "csv", "wandb"}


def test_names_are_lightnings():
    from lightning_fabric.connector import _PRECISION_INPUT_STR, _PRECISION_INPUT_STR_ALIAS
    from pytorch_lightning.accelerators import AcceleratorRegistry
    from pytorch_lightning.strategies import StrategyRegistry

    assert set(STRATEGIES) == {"auto", *StrategyRegistry.available_strategies()}
    assert set(ACCELERATORS) == {"auto", "gpu", *AcceleratorRegistry.available_accelerators()}
    assert set(PRECISIONS) == {*_PRECISION_INPUT_STR.__args__, *_PRECISION_INPUT_STR_ALIAS.__args__}


def test_experiments_state_only_differences():
    for path in (config_dir() / "experiment").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        for word in ("command:", "hardware:", "duration:", "expected:"):
            assert word in text, f"{path.name} does not say its {word}"
        assert text.startswith("# @package _global_"), f"{path.name}: Hydra reads @package in the first line only"


def test_comments_are_read(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(
        "# @package _global_\n# What it is\n# more\n\ndefaults:\n  - x\n_target_: y\n"
        "a: 1 # one\n# two\n# lines\nb: 'x # y'\nc: # section\n  d: [1, 2] # list\n  e:\n    - [1, 2]\nf:\ng: \"\"\n"
    )
    assert explanation(file) == "What it is"
    assert [(option.key, option.default, option.text) for option in options(file)] == [
        ("a", "1", "one"),
        ("b", "x # y", "two lines"),
        ("c.d", "[1, 2]", "list"),
        ("c.e", "[[1, 2]]", ""),
        ("f", "null", ""),
        ("g", '""', ""),
    ]
    assert yaml.safe_load(file.read_text())["b"] == "x # y"


def test_without_a_logger_nothing_logs_the_learning_rate():
    for arguments in (["logger=none"], ["debug=default"], ["debug=fast", "experiment=quickstart"]):
        config = compose("train", arguments)
        assert config.logger == {}
        assert not any("LearningRateMonitor" in node._target_ for node in config.callbacks.values() if node)
