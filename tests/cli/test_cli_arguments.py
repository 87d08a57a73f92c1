"""Words, flags and overrides are told apart."""

import pytest

from densecap.cli.arguments import read
from densecap.cli.table import find_command
from densecap.errors import UserError


@pytest.mark.parametrize(
    ("command", "word", "override"),
    [
        ("predict", "photo.jpg", "source='photo.jpg'"),
        ("predict", "https://example.org/a?w=1", "source='https://example.org/a?w=1'"),
        ("predict", "été=1.jpg", "source='été=1.jpg'"),
        ("predict", "-", "source='-'"),
        ("download", "visual_genome", "data=visual_genome"),
        ("preprocess", "shapes", "data=shapes"),
        ("benchmark", "loader", "part=loader"),
    ],
)
def test_a_bare_word_is_the_commands_own_key(command, word, override):
    assert read(find_command(command), [word]).overrides == [override]


def test_order_of_overrides_is_kept():
    request = read(
        find_command("predict"), ["detection.max_detections=3", "a.jpg", "detection.max_detections=4", "b.jpg"]
    )
    assert request.overrides == ["detection.max_detections=3", "source=['a.jpg','b.jpg']", "detection.max_detections=4"]


def test_groups_and_packages_are_overrides():
    typed = ["model/backbone=timm", "+optimizer@second=sgd", "~logger", "trainer={devices: 2}"]
    assert read(find_command("train"), typed).overrides == typed


@pytest.mark.parametrize(
    ("arguments", "flags"),
    [
        (["--cfg", "job", "--resolve"], ["--cfg", "job", "--resolve"]),
        (["-c", "all", "-p", "trainer"], ["--cfg", "all", "--package", "trainer"]),
        (["--cfg=job"], ["--cfg", "job"]),
        (["-m"], ["--multirun"]),
        (["--info"], ["--info"]),
        (["--info", "defaults"], ["--info", "defaults"]),
    ],
)
def test_flags_of_hydra_pass_through(arguments, flags):
    request = read(find_command("train"), ["seed=1", *arguments, "ckpt=a"])
    assert request.hydra_flags() == flags
    assert request.overrides == ["seed=1", "ckpt='a'"]
    assert request.multirun == ("-m" in arguments)


def test_after_two_dashes_all_are_words():
    assert read(find_command("predict"), ["--", "-m.jpg", "a.jpg"]).overrides == ["source=['./-m.jpg','a.jpg']"]


def test_config_dir_becomes_a_search_path(tmp_path):
    folder = tmp_path / "my configs"
    folder.mkdir()
    overrides = read(find_command("train"), ["--config-dir", str(folder)]).overrides
    assert overrides == [f"hydra.searchpath=['file://{folder}']"]


@pytest.mark.parametrize(
    ("command", "arguments", "sentence"),
    [
        ("train", ["word"], "no use for the word 'word'"),
        ("benchmark", ["loader", "nms"], "takes one part, but got 'loader' and 'nms'"),
        ("train", ["--devices", "4"], "no flag --devices"),
        ("train", ["--multirum"], "did you mean --multirun?"),
        ("train", ["--cfg", "jobs"], "followed by job, hydra or all"),
        ("train", ["--package"], "needs a value"),
        ("train", ["--config-dir", "/no/such/folder"], "no such folder"),
    ],
)
def test_mistakes(command, arguments, sentence):
    with pytest.raises(UserError, match=sentence.replace("?", r"\?")):
        read(find_command(command), arguments)
