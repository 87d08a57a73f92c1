"""What people type reaches the configuration unchanged, through Hydra's own parser."""

import random
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from densecap.cli.arguments import read
from densecap.cli.composition import compose
from densecap.cli.quoting import is_free_text, quote, quote_value
from densecap.cli.table import find_command

NASTY = [
    "epoch=3-step=10.ckpt",
    "photo (1).jpg",
    "img[1].jpg",
    "été.jpg",
    "日本語/写真.png",
    "it's.jpg",
    'a "quoted" word.jpg',
    "'tis.jpg",
    "both ' and \".jpg",
    "'",
    '"',
    "a,b.jpg",
    "#1.jpg",
    "100%.jpg",
    "a$b.jpg",
    "$HOME",
    "${paths.data}/x.jpg",
    "${oc.env:HOME}",
    "\\${x}",
    "\\\\${x}",
    "${",
    "}${{",
    "C:\\photos\\new.jpg",
    "ends with \\",
    "ends with \\\\",
    "\\'",
    "https://example.org/photo?w=1&h=2",
    "http://example.org:80/a,b;c=d#e",
    " leading",
    "trailing ",
    "  ",
    "a  b",
    "tab\there",
    "line\nbreak",
    "{a:1}",
    "[a",
    "a]",
    "(a)",
    "choice(1,2)",
    "range(1,3)",
    "glob(*)",
    "*.jpg",
    "**/[ab]?.jpg",
    "-",
    "--help",
    "1",
    "1.0",
    "1e5",
    "true",
    "Null",
    "nan",
    "?",
    "a@b:c",
    "a|b&c;d",
    "+a",
    "a~b",
    "~nobody-of-that-name/x",
    "a/~/b",
    "=",
    "==",
    "a=",
    "😀.jpg",
]


def source_of(*arguments: str) -> object:
    """What predict gets for the arguments, by way of Hydra."""
    return compose("predict", read(find_command("predict"), arguments).overrides).source


@pytest.mark.parametrize("text", NASTY)
def test_text_survives(text):
    request = read(find_command("predict"), [f"source={text}", f"ckpt={text}", f"paths.data={text}"])
    config = compose("predict", request.overrides)
    assert (config.source, config.ckpt, config.paths.data) == (text, text, text)
    again = read(request.command, request.overrides)  # as a process that Lightning starts would see it
    assert again.overrides == request.overrides


def test_any_text_survives():
    letters = [*"'\"\\${}a =,[]()#~é\n\t:%?*&|日./-", "${", "\\${", "null", "'a'", "1"]
    generator = random.Random(0)
    parser = OverridesParser.create()
    for _ in range(2000):
        text = "".join(generator.choice(letters) for _ in range(generator.randint(0, 9)))
        override = parser.parse_override(f"source={quote(text)}")
        config = OmegaConf.create({"source": None})
        OmegaConf.update(config, "source", override.value())
        assert config.source == text
        assert not override.is_sweep_override()
        assert quote_value("source", quote(text)) == quote(text)
        # Hydra writes every override anew for the jobs of a sweep.
        rewritten = parser.parse_override(f"source={override.get_value_element_as_str()}")
        assert rewritten.value() == override.value()


def test_home_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/home/it's (me)")
    assert source_of("~/a.jpg") == "/home/it's (me)/a.jpg"
    assert source_of("source=~/a b.jpg") == "/home/it's (me)/a b.jpg"
    assert list(source_of("source=[~/a.jpg,~/b.jpg]")) == ["/home/it's (me)/a.jpg", "/home/it's (me)/b.jpg"]
    assert quote_value("query", "~/a") == "'~/a'"


@pytest.mark.parametrize(
    ("typed", "meant"), [("'a b, c.jpg'", "a b, c.jpg"), ('"it\'s"', "it's"), (r"'it\'s'", "it's")]
)
def test_hydra_quotes_are_understood(typed, meant):
    assert source_of(f"source={typed}") == meant


def test_null_stays_null():
    request = read(find_command("train"), ["ckpt=null", "data.splits=null", "model.backbone.weights=null"])
    config = compose("train", request.overrides)
    assert (config.ckpt, config.data.splits, config.model.backbone.weights) == (None, None, None)


def test_prefixes():
    overrides = read(find_command("train"), ["+path=a, b", "++ckpt=x=1", "~optimizer.eps"]).overrides
    assert overrides == ["+path='a, b'", "++ckpt='x=1'", "~optimizer.eps"]
    config = compose("train", overrides)
    assert (config.path, config.ckpt) == ("a, b", "x=1")
    assert "eps" not in config.optimizer


def test_several_sources():
    assert list(source_of("source=[a.jpg, b (1).jpg,'c,d.jpg',it's.jpg]")) == [
        "a.jpg",
        "b (1).jpg",
        "c,d.jpg",
        "it's.jpg",
    ]
    assert list(source_of("a, b.jpg", "source=c=1.jpg", "source=[d.jpg,e.jpg]")) == [
        "a, b.jpg",
        "c=1.jpg",
        "d.jpg",
        "e.jpg",
    ]
    assert list(source_of("source=[]")) == []
    request = read(find_command("predict"), ["a,b", "c d"])
    assert read(request.command, request.overrides).overrides == request.overrides


def test_names_of_files_come_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("[a.jpg,b.jpg]", "'quoted'", "photo=1.jpg"):
        Path(name).touch()
        assert source_of(name) == name
    assert source_of("source=[a.jpg,b.jpg]") == "[a.jpg,b.jpg]"
    assert source_of("source='quoted'") == "'quoted'"


def test_sweeps():
    multirun = read(
        find_command("predict"), ["-m", "source=a,b.jpg", "ckpt=choice('a','b')", "generation.beam_size=1,2"]
    )
    assert multirun.overrides == ["source='a,b.jpg'", "ckpt=choice('a','b')", "generation.beam_size=1,2"]


def test_unreadable_values_are_text():
    assert quote_value("logger.wandb.name", "try (1)") == "'try (1)'"
    assert quote_value("callbacks.checkpoint.filename", "{epoch") == "'{epoch'"
    assert quote_value("trainer.max_epochs", "3") == "3"
    assert quote_value("boxes", "[[1,2,3,4]]") == "[[1,2,3,4]]"


def test_folders_of_hydra_may_interpolate():
    assert quote_value("hydra.run.dir", "out (1)/${seed}") == "'out (1)/${seed}'"
    assert quote_value("paths.outputs", "${seed}") == r"'\${seed}'"


@pytest.mark.parametrize(
    ("key", "free"),
    [
        *((key, True) for key in ("source", "ckpt", "init", "path", "query", "boxes", "index", "output", "output.dir")),
        *(
            (key, True)
            for key in ("output.json_path", "output.file", "data.root", "data.file", "data.splits", "data.table")
        ),
        *((key, True) for key in ("model.backbone.weights", "paths.outputs", "hydra.run.dir", "hydra.sweep.dir")),
        *(
            (key, False)
            for key in ("model", "data", "seed", "task.weights.box", "data.vocabulary_splits", "trainer.devices")
        ),
    ],
)
def test_free_text_keys(key, free):
    assert is_free_text(key) is free
