"""Mistakes are answered before anything slow is imported, by one sentence with the nearest names."""

import pytest
from omegaconf import OmegaConf

from densecap.cli.arguments import read
from densecap.cli.checks import check
from densecap.cli.table import COMMANDS, find_command
from densecap.errors import UserError


def checked(command, *arguments):
    return check(read(find_command(command), arguments))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("model=densecap_vg16", ["there is no model=densecap_vg16", "did you mean model=densecap_vgg16"]),
        ("model/decoder=lsmt", ["did you mean model/decoder=lstm"]),
        ("metric=[bleu,cidr]", ["there is no metric=cidr", "did you mean metric=cider?"]),
        ("metric=densemap", ["did you mean metric=dense_map?"]),
        ("metric=bleu,cider", ["metric=[bleu,cider] for a list", "-m"]),
        ("metric.dense_map.convntion=standard", ["did you mean metric.dense_map.convention?"]),
        ("experiment=null", ["experiment=null chooses nothing"]),
        ("experiment=quikstart", ["did you mean experiment=quickstart"]),
        ("hydra/launcher=nothing_like_it", ["hydra/launcher is one of"]),
        ("trainer.devises=4", ["no option trainer.devises", "did you mean trainer.devices?"]),
        ("devices=4", ["did you mean trainer.devices?"]),
        ("modl=x", ["did you mean model?"]),
        ("modl/decoder=lstm", ["no group modl/decoder", "did you mean model/decoder"]),
        ("trainer.qqq=1", ["trainer has accelerator, devices"]),
        ("qqq=1", ["--help lists all"]),
        ("~trainer.devises", ["did you mean trainer.devices?"]),
        ("+seed=1", ["seed is there already"]),
        ("+trainer.strategy.static_graph=true", ["trainer.strategy is auto", "{_target_:CLASS,static_graph:VALUE}"]),
        ("generation.beam_size=big", ["generation.beam_size=big", "whole number like 1"]),
        ("trainer.max_epochs=1.5", ["whole number like 10"]),
        ("optimizer.lr=fast", ["optimizer.lr=fast", "expected a number"]),
        ("optimizer.lr=true", ["expected a number"]),
        ("optimizer.betas=0.9", ["a list such as [0.9,0.999]"]),
        ("optimizer.betas=[a,b]", ["in the list a number such as 0.9"]),
        ("data.flip=yes", ["true or false"]),
        ("data.name=[a,b]", ["expected one word or text"]),
        ("model.decoder=gru", ["model/decoder=gru"]),
        ("model/backbone.weights=x", ["model.backbone.weights"]),
        ("trainer={devises: 2}", ["no option trainer.devises", "devices"]),
        ("trainer={num_nodes: many}", ["trainer.num_nodes=many"]),
        ("trainer.devices=many", ["how many devices"]),
        ("trainer.devices=0", ["how many devices"]),
        ("trainer.strategy=dpp", ["no such strategy", "did you mean ddp?"]),
        ("trainer.precision=bf16-mixd", ["no such precision", "bf16-mixed"]),
        ("trainer.accelerator=gpuu", ["no such accelerator", "did you mean gpu?"]),
        ("trainer.max_epochs=1,2", ["[1,2]", "-m"]),
        ("seed=", ["whole number"]),
        ("=3", ["no use for the word '=3'"]),
    ],
)
def test_mistakes(arguments, words):
    with pytest.raises(UserError) as caught:
        checked("train", arguments)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_groups_of_other_commands():
    with pytest.raises(UserError, match="predict has no use for the group trainer; it has"):
        checked("predict", "a.jpg", "trainer=gpu")


def test_missing_values_are_named_with_their_explanation():
    with pytest.raises(UserError, match=r"predict needs source=\.\.\.: an image"):
        checked("predict")
    checked("predict", "--cfg", "job")  # shown, not run
    checked("predict", "boxes=boxes.json")  # which names the pictures


def test_commands_are_suggested():
    with pytest.raises(UserError, match=r"no command 'trian' \(did you mean train\?\)"):
        find_command("trian")


@pytest.mark.parametrize(
    "arguments",
    [
        "trainer.devices=4",
        "trainer.devices=[0,1]",
        "trainer.devices='0,1'",
        "trainer.devices=-1",
        "trainer.devices=auto",
        "trainer.strategy=ddp_find_unused_parameters_true",
        "trainer.strategy={_target_:pytorch_lightning.strategies.DDPStrategy,static_graph:true}",
        "trainer.precision=16",
        "trainer.fast_dev_run=3",
        "trainer.deterministic=warn",
        "trainer.gradient_clip_val=1",
        "trainer.val_check_interval=1000",
        "trainer.limit_val_batches=null",
        "optimizer.lr=1",
        "optimizer.lr=1e-3",
        "seed=${trainer.num_nodes}",
        "trainer={devices: 2, strategy: ddp}",
        "++callbacks.mine.new=1",
        "+extra=1",
        "~optimizer.eps",
        "hydra.verbose=true",
        "optimizer=sgd",
        "debug=fast",
    ],
)
def test_right_values_pass(arguments):
    checked("train", arguments)


def test_values_take_the_form_of_their_key():
    _, config = checked("train", "data=visual_genome", "data.version=1.0", "data.vocabulary_splits=val", "data.name=7")
    assert (config.data.version, list(config.data.vocabulary_splits), config.data.name) == ("1.0", ["val"], "7")


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [
        ("metric=[bleu,cider,dense_map]", ["bleu", "cider", "dense_map"]),
        ("metric=meteor", ["meteor"]),
        ("metric=none", []),
        ("metric=null", []),
        ("metric=[]", []),
        ("seed=1", ["dense_map", "bleu", "cider"]),
    ],
)
def test_several_members_of_a_group(typed, chosen):
    _, config = checked("train", typed)
    assert list(config.callbacks.metrics.metrics) == chosen


def test_options_of_a_member_among_several():
    options = ["metric.dense_map.convention=densecap2016", "metric.language_meteor.max_captions=null"]
    _, config = checked("train", "metric=[dense_map,language_meteor]", *options)
    metrics = config.callbacks.metrics.metrics
    assert (metrics.dense_map.convention, metrics.language_meteor.max_captions) == ("densecap2016", None)


def test_sweeps_over_metrics():
    _, config = checked("train", "-m", "metric=[bleu],[cider]")
    assert list(config.callbacks.metrics.metrics) == ["bleu"]
    with pytest.raises(UserError, match="did you mean metric=cider"):
        checked("train", "-m", "metric=[bleu],[cidr]")


def test_sweeps_check_every_choice():
    request, config = checked("train", "-m", "trainer.max_epochs=1,2", "optimizer=sgd,adam", "seed=range(1,3)")
    assert config.optimizer._target_ == "torch.optim.SGD"
    assert request.overrides == ["trainer.max_epochs=1,2", "optimizer=sgd,adam", "seed=range(1,3)"]
    for wrong in ("trainer.max_epochs=1,x", "optimizer=adam,sdg", "trainer.strategy=ddp,dpp"):
        with pytest.raises(UserError, match="does not fit|there is no"):
            checked("train", "-m", wrong)


def test_own_files_from_config_dir(tmp_path):
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "mine.yaml").write_text("# mine\n_target_: torch.optim.Adam\n_partial_: true\nlr: 1.0\n")
    _, config = checked("train", "--config-dir", str(tmp_path), "optimizer=mine", "optimizer.lr=2")
    assert config.optimizer.lr == 2


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_composes(command):
    needed = {"predict": ["source=a.jpg"], "search": ["index=photos"], "compare": ["path=outputs"]}
    needed |= {name: ["path=a"] for name in ("convert", "info", "sweep_report", "view")}
    _, config = checked(command, *needed.get(command, []))
    plain = OmegaConf.masked_copy(config, [key for key in config if key != "hydra"])
    assert plain.paths.outputs == "outputs"
