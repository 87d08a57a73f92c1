"""Whole command lines: exit statuses, what is printed, what is imported, what a command gets to see."""

import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra.core.hydra_config import HydraConfig

import densecap
from densecap.cli.entry import run
from densecap.cli.table import COMMANDS
from densecap.errors import UserError

ROOT = Path(densecap.__file__).parents[1]


@pytest.fixture(autouse=True)
def _undo_hydra(monkeypatch, tmp_path):
    """Work in an empty folder; leave logging and Hydra's global state as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    before = logging.root.handlers[:], logging.root.level, HydraConfig.instance().cfg
    yield
    logging.root.handlers[:], logging.root.level, HydraConfig.instance().cfg = before


@pytest.fixture
def command(monkeypatch):
    """Put a function in the place of train's and predict's ``run``."""

    def install(function):
        for name in ("train", "predict"):
            monkeypatch.setitem(sys.modules, f"densecap.commands.{name}", SimpleNamespace(run=function))

    return install


def shell(*arguments, cwd=None):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=cwd, timeout=100)


@pytest.mark.parametrize(
    "arguments",
    [
        [str(ROOT / "train.py"), "trainer.devises=4"],
        [str(ROOT / "train.py"), "model=densecap_vg16"],
        [str(ROOT / "predict.py")],
        ["-m", "densecap", "trian"],
        ["-m", "densecap", "predict", "a.jpg", "generation.beam_size=big"],
    ],
)
def test_mistakes_are_one_line_without_torch(arguments, tmp_path):
    done = shell("-X", "importtime", *arguments, cwd=tmp_path)
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert done.returncode == 2
    assert len(said) == 1
    assert said[0].startswith("densecap: ")
    assert "hydra" in modules
    assert not {"torch", "numpy", "pytorch_lightning"} & modules
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_help_of_every_command(name, capsys):
    assert run(["--help"], name) == 0
    text = capsys.readouterr().out
    assert f"usage: densecap {name}" in text
    assert "paths" in text
    assert "* default" in text
    if name == "train":
        for word in (
            "model/decoder",
            "optimizer",
            "* adam",
            "sgd",
            "seed",
            "(default 123)",
            "experiment",
            "quickstart",
        ):
            assert word in text


def test_help_imports_no_torch(tmp_path):
    done = shell("-X", "importtime", str(ROOT / "train.py"), "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert not any(line.rpartition("|")[2].strip() == "torch" for line in done.stderr.splitlines())


def test_help_of_a_group(capsys):
    assert run(["--help", "trainer"], "train") == 0
    assert "trainer.devices" in capsys.readouterr().out
    assert run(["--help", "trainr"], "train") == 2
    assert "did you mean trainer?" in capsys.readouterr().err


def test_overview_and_version(capsys):
    for arguments in ([], ["--help"]):
        assert run(arguments) == 0
        text = capsys.readouterr().out
        assert all(command.name in text and command.summary[:20] in text for command in COMMANDS)
    assert run(["--version"]) == run(["--version"], "train") == 0
    assert capsys.readouterr().out.split() == ["densecap", densecap.__version__] * 2


def test_a_command_gets_its_config_and_folder(command):
    seen = {}

    def train(cfg):
        seen.update(seed=cfg.seed, ckpt=cfg.ckpt, folder=cfg.paths.output_dir, argv=list(sys.argv))
        return 7

    command(train)
    assert run(["train", "seed=5", "ckpt=epoch=3, (1).ckpt", "hydra.run.dir=runs/a=1"]) == 7
    assert (seen["seed"], seen["ckpt"]) == (5, "epoch=3, (1).ckpt")
    assert seen["folder"] == str(Path("runs/a=1").resolve())
    assert (Path("runs/a=1/.hydra/config.yaml")).is_file()
    # Lightning starts its other processes by repeating sys.argv: that must mean the same run.
    assert seen.pop("argv")[1:] == ["train", "seed=5", "ckpt='epoch=3, (1).ckpt'", "hydra.run.dir='runs/a=1'"]


def test_run_folders_are_under_outputs(command):
    command(lambda cfg: None)
    assert run(["seed=1"], "train") == 0
    assert run(["seed=1"], "train") == 0
    folders = list(Path("outputs/train").iterdir())
    assert len(folders) == 2
    assert all((folder / ".hydra" / "overrides.yaml").is_file() for folder in folders)


def test_predict_leaves_nothing_behind(command, tmp_path):
    command(lambda cfg: 1 if list(cfg.source) == ["a,b.jpg", "c.jpg"] else 0)
    assert run(["predict", "a,b.jpg", "c.jpg"]) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_users_mistake_inside_a_command(command, capsys):
    def fail(cfg):
        raise UserError("the folder\n is empty")

    command(fail)
    assert run(["a.jpg"], "predict") == 2
    assert capsys.readouterr().err == "densecap: the folder is empty\n"


def test_interruption(command, capsys):
    def interrupt(cfg):
        raise KeyboardInterrupt

    command(interrupt)
    assert run(["a.jpg"], "predict") == 130
    assert capsys.readouterr().err == "densecap: interrupted\n"


def test_our_mistakes_come_through(command):
    def fail(cfg):
        return cfg.no_such_key

    command(fail)
    with pytest.raises(Exception, match="no_such_key") as caught:
        run(["a.jpg"], "predict")
    assert any(entry.name == "fail" for entry in caught.traceback)


def test_sweeps_run_each_job_alone(command, monkeypatch):
    jobs = []

    def train(cfg):
        jobs.append((cfg.seed, cfg.ckpt, sys.argv[1:], HydraConfig.get().run.dir, cfg.paths.output_dir))
        monkeypatch.setenv("LOCAL_RANK", "0")  # as Lightning leaves it behind
        return {1: 0, 2: 3, 3: 1}[cfg.seed]

    command(train)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert run(["train", "-m", "seed=1,2,3", "ckpt=a,b.ckpt", "paths.outputs=out, put"]) == 3
    assert [job[:2] for job in jobs] == [(seed, "a,b.ckpt") for seed in (1, 2, 3)]
    for number, (seed, _, argv, run_dir, output_dir) in enumerate(jobs):
        assert argv == ["train", f"seed={seed}", "ckpt='a,b.ckpt'", "paths.outputs='out, put'"]
        assert run_dir == output_dir
        assert Path(output_dir).name == str(number)
        assert Path(output_dir).parents[2].name == "out, put"
    assert "LOCAL_RANK" not in __import__("os").environ


def test_configuration_is_shown(capsys, tmp_path):
    assert run(["train", "--cfg", "job", "--resolve", "seed=77", "trainer=cpu"]) == 0
    text = capsys.readouterr().out
    assert "seed: 77" in text
    assert "accelerator: cpu" in text
    assert "${" not in text
    assert list(tmp_path.iterdir()) == []


def test_lazy_attributes():
    code = "import densecap as d, sys; d.UserError; d.Vocabulary; print(d.__version__, 'torch' in sys.modules)"
    assert shell("-c", code).stdout.split() == [densecap.__version__, "False"]
    assert set(densecap.__all__) <= set(dir(densecap))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = densecap.nothing
    assert densecap.DenseCaptioner.__name__ == "DenseCaptioner"
    with pytest.raises(UserError):
        densecap.load("no/such.ckpt")
