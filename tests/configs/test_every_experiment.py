"""Every experiment, and every search with the experiment it is meant for, trains two steps on a miniature."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import pytest
import torch

from densecap import checkpoint
from densecap.cli.entry import run
from tests.configs.data_sets import write_data_set
from tests.configs.test_every_model_builds import full_size
from tests.configs.yaml_files import BUILT, MEMBERS, composed, each_of, group_and_name, need_package, plain, text_of

pytestmark = pytest.mark.usefixtures("folder")

#: Two steps and one batch of validation, then the end of the run as the experiment has it.
TWO_STEPS = ["trainer.max_steps=2", "trainer.limit_train_batches=2", "trainer.val_check_interval=2"]
TWO_STEPS += ["trainer.limit_val_batches=1", "trainer.accelerator=cpu", "trainer.devices=1"]
TWO_STEPS += ["trainer.log_every_n_steps=1", "logger=csv", "print_config=false", "callbacks.metrics.num_images=1"]
#: Experiments that take longest here, or differ little from another in the parts that they are made of.
HEAVY = ("benchmark_soloist97", "densecap_vgg16_vg_paper")
SMALL_IMAGES = "data.image_size=96"
#: What is made smaller wherever a model has it, and a search does not vary it.
SMALLER = {
    "model.backbone.weights": "null",
    "model.recognition.hidden_dim": 16,
    "model.decoder.embedding_dim": 16,
    "model.decoder.hidden_dim": 16,
    "model.decoder.multimodal_dim": 16,
    "detection.max_detections": 5,
    "callbacks.learned.num_images": 2,
}


def densecap(command: str, *words: str) -> None:
    assert run(list(words), command) == 0


def little(data: Path, *chosen: str) -> list[str]:
    """The options that make the run of an experiment a matter of seconds; its data is written below ``data``."""
    config = plain("train", *chosen)
    name = config["hydra"]["runtime"]["choices"]["data"]
    options = write_data_set(name, data)
    varied = config["hydra"]["sweeper"].get("params") or {}
    options += [f"{key}={value}" for key, value in SMALLER.items() if has(config, key) and key not in varied]
    if config["data"]["batch_size"] > 2:
        options.append("data.batch_size=2")
    options.append(SMALL_IMAGES)
    if config["model"]["backbone"]["_target_"].endswith(".Precomputed"):
        own = [f"data={name}", *(word for word in options if word.startswith("data."))]
        densecap("extract_features", *own, "model/backbone=conv_small", "device=cpu", "features.input_size=64")
    return [*TWO_STEPS, *options]


def has(config, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(config, dict) or part not in config:
            return False
        config = config[part]
    return True


def check_trained(folder: Path) -> dict:
    """Of a run folder: two steps, finite losses of training and validation, a model that loads; its configuration."""
    with (folder / "csv" / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for name in ("train/loss", "val/loss"):
        values = [float(row[name]) for row in rows if row.get(name)]
        assert values and all(map(math.isfinite, values)), f"{name}: {values}"
    content = checkpoint.read(folder / "checkpoints" / "last.ckpt")
    assert content["global_step"] == 2 and (folder / "checkpoints" / "best.ckpt").is_file()
    tensors = checkpoint.weights_of(content).values()
    assert all(torch.isfinite(tensor).all() for tensor in tensors if tensor.is_floating_point())
    return content["densecap"]["config"]


@each_of("experiment", long=HEAVY)
def test_every_experiment_trains_two_steps(name, folder):
    chosen = f"experiment={name}"
    densecap("train", chosen, *little(folder / "data", chosen))
    (made,) = (folder / "outputs" / "train").iterdir()
    trained, meant = check_trained(made), composed("train", chosen)
    for group in ("optimizer", "scheduler", "task", "generation"):
        assert trained[group] == meant[group], group


@pytest.mark.long
@each_of("hparams_search")
def test_every_search_trains_a_trial_of_two_steps(name, folder):
    need_package("hydra/sweeper/optuna")
    experiment = re.search(r"experiment=\w+", text_of(f"hparams_search/{name}"))
    assert experiment, f"configs/hparams_search/{name}.yaml does not open with its command"
    chosen = [f"hparams_search={name}", experiment[0]]
    words = little(folder / "data", *chosen)
    densecap("train", "-m", *chosen, *words, "hydra/launcher=basic", "hydra.sweeper.n_trials=1")
    trained = check_trained(folder / "outputs" / "sweeps" / name / "0")
    for key, text in plain("train", *chosen)["hydra"]["sweeper"]["params"].items():
        assert has(trained, key), f"{key}: {text} is no option of the model that was trained"
    assert (folder / "outputs" / "sweeps" / name / "study.db").is_file()


@each_of("experiment")
def test_every_experiment_builds_at_its_full_size(name):
    """Its model, with a backbone in the place of features that were computed before."""
    chosen = [f"experiment={name}"]
    if plain("train", *chosen)["model"]["backbone"]["_target_"].endswith(".Precomputed"):
        chosen.append("model/backbone=conv_small")
    model = full_size(plain("train", *chosen))
    assert sum(parameter.numel() for parameter in model.parameters()) > 1e6


def test_data_that_no_miniature_is_known_of_is_named(folder):
    with pytest.raises(pytest.fail.Exception, match="no miniature of data=mine is known: add a generator to tests/"):
        write_data_set("mine", folder / "data")


def test_every_group_is_built_by_some_test():
    """A new group fails here until a test builds its members, all of which ``each_of`` finds on disk."""
    from tests.configs import test_every_model_builds, test_every_setting_builds, test_every_training_part_builds

    assert test_every_model_builds and test_every_setting_builds and test_every_training_part_builds
    assert {group_and_name(member)[0] for member in MEMBERS} == BUILT
