"""The configurations that docs/sweeps.md shows are ones that work."""

import re
from pathlib import Path

import pytest
import yaml

from densecap.cli.arguments import read
from densecap.cli.checks import check
from densecap.cli.table import find_command
from densecap.sweeps.search_space import override_texts, split

PAGE = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text(encoding="utf-8")
OWN, WANDB = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_search_of_ones_own_composes(tmp_path):
    (tmp_path / "hparams_search").mkdir()
    (tmp_path / "hparams_search" / "decoder.yaml").write_text(OWN, encoding="utf-8")
    request, config = check(
        read(
            find_command("train"),
            ["-m", "--config-dir", str(tmp_path), "hparams_search=decoder", "model=densecap_small"],
        )
    )
    space = split([*override_texts(config.hydra.sweeper.params), *request.overrides])[1]
    assert space["model.decoder.hidden_dim"].choices == (128, 256, 512)
    assert config.hydra.sweep.dir == "outputs/sweeps/decoder"


def test_what_wandb_would_call_is_a_command_line_of_ours():
    """The agent's own function writes the arguments; ``${env}`` stands for /usr/bin/env."""
    utils = pytest.importorskip("wandb.sdk.launch.sweeps.utils")
    sweep = yaml.safe_load(WANDB)
    values = {"optimizer.lr": 3.1e-05, "model.decoder.dropout": 0.25, "data.batch_size": 3}
    assert set(values) == set(sweep["parameters"])
    made = utils.create_sweep_command_args({"args": {key: {"value": value} for key, value in values.items()}})
    words = [word for word in sweep["command"] if "$" not in word and word != "python"]
    request, config = check(read(find_command("train"), [*words, *made["args_no_hyphens"]]))
    assert not request.multirun
    assert (config.optimizer.lr, config.model.decoder.dropout) == (3.1e-05, 0.25)
    assert config.data.batch_size == 3 and "wandb" in config.logger


@pytest.mark.parametrize("text", re.findall(r"^\| .*? \| `'?([\w./]+=[^`]*?)'?`", PAGE, re.MULTILINE))
def test_the_options_in_the_tables_are_taken(text):
    words = ["-m", "hparams_search=densecap_optuna", "model=densecap_small", text]
    request, config = check(read(find_command("train"), words))
    split([*override_texts(config.hydra.sweeper.params), *request.overrides])
