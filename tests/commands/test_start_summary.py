"""What train says before it starts."""

import io

import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode

from densecap.commands import start_summary
from densecap.commands.forward_operations import WORDS, operations_of_parts
from densecap.commands.start_summary import config_tree, introduce, memory_sentence, part_rows, training_size
from densecap.data.datamodule import CaptioningDataModule
from densecap.data.dataset import RegionDataset
from tests.conftest import miniature_captioner
from tests.fakes.region_file import write_fake
from tests.fakes.whole_images import small_image_captioner

CONFIG = {
    "seed": 7,
    "print_config": True,
    "optimizer": {"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 0.1, "betas": [0.9, 0.99], "fused": None},
    "model": {"backbone": {"_target_": "densecap.models.backbones.vgg16.VGG16", "trainable": False}},
    "trainer": {"enable_model_summary": True, "precision": "32-true"},
    "choices": {"model": "densecap_vgg16", "model/backbone": "vgg16"},
}


def text_of(*arguments):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(*arguments)
    return console.export_text()


def test_the_tree_shows_every_value_as_it_is_typed():
    lines = [line.strip("│├└─ ") for line in text_of(config_tree(CONFIG)).splitlines()]
    assert lines[0] == "configuration" and lines[1] == "seed=7  print_config=true"
    assert lines[lines.index("optimizer") + 1] == "AdamW  lr=0.1  betas=[0.9,0.99]  fused=null"
    assert lines[lines.index("model densecap_vgg16") + 1] == "backbone vgg16"
    assert lines[lines.index("backbone vgg16") + 1] == "VGG16  trainable=false"


def test_parts_are_counted():
    model = miniature_captioner()
    model.backbone.requires_grad_(False)
    rows = {row.name: row for row in part_rows(model, (48, 64))}
    assert rows["backbone"].trained == 0 and rows["backbone"].parameters > 0
    assert sum(row.parameters for row in rows.values()) == sum(p.numel() for p in model.parameters())
    assert sum(row.trained for row in rows.values()) == sum(p.numel() for p in model.parameters() if p.requires_grad)
    # 4 x 4 convolution with stride 4 to 6 channels, then 2 x 2 with stride 2: two operations a product
    assert rows["backbone"].operations == 2 * (12 * 16 * 6 * 3 * 16 + 6 * 8 * 6 * 6 * 4)


def test_parts_are_what_running_them_takes():
    """Counted while real regions are recognised and real words decoded."""
    model = miniature_captioner().eval()
    counted = operations_of_parts(model, (48, 64))
    regions = model.localization.region_batch_size
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        codes = model.recognition(torch.rand(regions, 6, 7, 7))
        model.recognition.objectness(codes), model.recognition.box(codes)
    assert counted["recognition"] == counter.get_total_flops()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        state = model.decoder.init_state(codes[: regions // 2])
        for _ in range(WORDS + 1):
            _, state = model.decoder.step(torch.ones(regions // 2, dtype=torch.int64), state)
    assert counted["decoder"] == pytest.approx(counter.get_total_flops())


def test_whole_image_models_see_their_square():
    counted = operations_of_parts(small_image_captioner(input_size=32), (480, 640))
    assert counted["backbone"] == 2 * (8 * 8 * 6 * 3 * 16 + 4 * 4 * 6 * 6 * 4)


@pytest.mark.parametrize(
    ("optimizer", "precision", "times"), [("a.Adam", "32-true", 16), ("SGD", "32-true", 8), ("X", "bf16-true", 8)]
)
def test_memory_is_that_of_all_copies(optimizer, precision, times):
    model = miniature_captioner()
    count = sum(p.numel() for p in model.parameters())
    assert memory_sentence(model, optimizer, precision).startswith(f"memory: {times * count / 2**20:.1f} MiB")


def test_all_of_it_is_printed_where_it_is_wanted(capsys, monkeypatch):
    monkeypatch.setattr(start_summary, "LONGEST_COUNT", 1e9)  # however busy this machine is
    model, console = miniature_captioner(), Console()
    introduce(CONFIG, model, lambda: (48, 64), console)
    out = capsys.readouterr().out
    assert "configuration" in out and "localization" in out and "64 x 48 pixels, with 32 regions" in out
    assert "gradients included" in out
    quiet = {**CONFIG, "print_config": False, "trainer": {"enable_model_summary": False}}
    introduce(quiet, model, lambda: (48, 64), console)
    assert capsys.readouterr().out == ""


def test_the_size_is_that_of_the_first_training_image(tmp_path):
    file = write_fake(tmp_path / "a.h5", ["val", "train"], [1, 1], [(40, 40), (48, 64)])
    assert training_size(CaptioningDataModule(file, 32)) == RegionDataset(file, "train", 32)[0].size == (24, 32)


@pytest.mark.parametrize(("number", "shown"), [(None, True), (0, True), (3, False)])
def test_of_a_sweep_the_first_job_shows_its_configuration(monkeypatch, capsys, number, shown):
    job = {"num": "???" if number is None else number}
    monkeypatch.setattr(HydraConfig, "initialized", lambda: True)
    monkeypatch.setattr(HydraConfig, "get", lambda: OmegaConf.create({"job": job}))
    quiet = {**CONFIG, "trainer": {"enable_model_summary": False}}
    introduce(quiet, miniature_captioner(), lambda: (48, 64), Console())
    assert ("seed=7" in capsys.readouterr().out) is shown
