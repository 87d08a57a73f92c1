"""The notation of Hydra's sweeps as Optuna's distributions, and the way back to overrides."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from densecap.cli.arguments import read
from densecap.cli.checks import check
from densecap.cli.table import find_command
from densecap.errors import UserError
from densecap.sweeps.search_space import override_texts, split

NOTATIONS = {
    "interval(0.1,0.5)": FloatDistribution(0.1, 0.5),
    "interval(1,3)": FloatDistribution(1.0, 3.0),
    "tag(log, interval(1e-5,1e-3))": FloatDistribution(1e-5, 1e-3, log=True),
    "int(interval(16,128))": IntDistribution(16, 128),
    "tag(log, int(interval(1,64)))": IntDistribution(1, 64, log=True),
    "range(2,8,step=2)": IntDistribution(2, 8, step=2),
    "range(0,1,step=0.25)": FloatDistribution(0.0, 1.0, step=0.25),
    "choice(lstm,gru)": CategoricalDistribution(["lstm", "gru"]),
    "1,2.5,true,null,'a b'": CategoricalDistribution([1, 2.5, True, None, "a b"]),
}


@pytest.mark.parametrize(("text", "distribution"), NOTATIONS.items())
def test_a_notation_is_a_distribution(text, distribution):
    fixed, space = split([f"key={text}", "seed=3"])
    assert fixed == ["seed=3"]
    assert space["key"].distribution() == distribution


@pytest.mark.parametrize("text", NOTATIONS)
def test_what_describes_a_parameter_is_read_as_the_same(text):
    parameter = split([f"key={text}"])[1]["key"]
    assert split([f"key={parameter.describe()}"])[1]["key"].distribution() == parameter.distribution()


def test_values_of_yaml_are_choices_and_the_older_mappings_are_read():
    node = OmegaConf.create(
        {
            "model.decoder.hidden_dim": [256, 512],
            "names": ["a", "b c", None, True],
            "optimizer.lr": {"type": "float", "low": 1e-5, "high": 1e-3, "log": True},
            "num_layers": {"type": "int", "low": 1, "high": 5, "step": 2},
            "cell": {"type": "categorical", "choices": ["relu", "gru"]},
            "seed": 7,
        }
    )
    fixed, space = split(override_texts(OmegaConf.to_container(node)))
    assert fixed == ["seed=7"]
    assert {key: parameter.distribution() for key, parameter in space.items()} == {
        "model.decoder.hidden_dim": CategoricalDistribution([256, 512]),
        "names": CategoricalDistribution(["a", "b c", None, True]),
        "optimizer.lr": FloatDistribution(1e-5, 1e-3, log=True),
        "num_layers": IntDistribution(1, 5, step=2),
        "cell": CategoricalDistribution(["relu", "gru"]),
    }


@pytest.mark.parametrize("value", ["lstm", 3, -2.5e-7, True, None, "a b", "with,comma", "x=y"])
def test_a_choice_comes_back_from_its_override(value):
    space = split(override_texts({"key": [value, "other"]}))[1]
    override = OverridesParser.create().parse_override(space["key"].override(value))
    assert override.value() == value and type(override.value()) is type(value)


def test_lists_are_choices_too():
    space = split(["metric=choice([bleu,cider],[meteor])"])[1]
    assert space["metric"].override(space["metric"].choices[0]) == "metric=[bleu,cider]"


def test_numbers_keep_all_their_digits():
    space = split(["lr=interval(0,1)"])[1]
    assert float(space["lr"].override(0.1 + 0.2).partition("=")[2]) == 0.1 + 0.2


def test_what_is_typed_comes_after_the_file_and_fixes_a_key():
    fixed, space = split([*override_texts({"lr": "interval(0,1)", "wd": "interval(0,1)"}), "lr=0.5", "wd=1,2"])
    assert fixed == ["lr=0.5"]
    assert space["wd"].distribution() == CategoricalDistribution([1, 2])


@pytest.mark.parametrize("text", ["interval(2,1)", "tag(log, interval(0,1))", "choice(a,a)", "interval(1,"])
def test_what_cannot_be_searched_is_said(text):
    with pytest.raises(UserError, match="key="):
        split([f"key={text}"])


@pytest.mark.parametrize(
    ("param", "said"),
    [
        ("optimizer.rl: interval(0,1)", "there is no option optimizer.rl"),
        ("model/decoder: choice(lstm,gruu)", "there is no model/decoder=gruu"),
        ("trainer.max_epochs: choice(1,many)", "expected a whole number"),
        ("optimizer.lr: interval(0", "cannot be read"),
    ],
)
def test_a_wrong_space_is_refused_before_anything_starts(param, said, tmp_path):
    (tmp_path / "hparams_search").mkdir()
    text = f"""# @package _global_
defaults:
  - override /hydra/sweeper: optuna
hydra:
  sweeper:
    params:
      {param}
"""
    (tmp_path / "hparams_search" / "own.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        check(read(find_command("train"), ["-m", "--config-dir", str(tmp_path), "hparams_search=own"]))


@pytest.mark.parametrize("name", ["densecap_optuna", "mrnn_optuna"])
def test_the_searches_that_are_shipped_fit_their_models(name):
    model = {"densecap_optuna": "densecap_vgg16", "mrnn_optuna": "mrnn_vgg16"}[name]
    arguments = ["-m", f"hparams_search={name}", f"model={model}", "optimizer.lr=1e-3"]
    request, config = check(read(find_command("train"), arguments))
    fixed, space = split([*override_texts(config.hydra.sweeper.params), *request.overrides])
    assert "optimizer.lr" not in space and "optimizer.lr=1e-3" in fixed
    assert all(parameter.distribution() for parameter in space.values()) and len(space) >= 3
    assert config.optimized_metric != "auto" and config.hydra.sweep.dir.endswith(f"sweeps/{name}")
