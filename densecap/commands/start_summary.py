"""What ``train`` says before it starts: the configuration as a tree, and the model's parts, arithmetic and memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree
from torch import nn

from densecap.benchmark.floor import training_operations
from densecap.commands.forward_operations import WORDS, Size, operations_of_parts
from densecap.data.datamodule import CaptioningDataModule
from densecap.data.hdf5 import RegionFile
from densecap.models.captioner import Captioner
from densecap.models.dense_captioner import DenseCaptioner
from densecap.ops.resize import resized_size
from densecap.runs.listing import typed

#: Copies of every trained parameter that optimisers keep beside it, by the end of their name.
OPTIMIZER_COPIES = {"Adam": 2, "AdamW": 2, "NAdam": 2, "RAdam": 2, "Adamax": 2, "RMSprop": 1, "Adagrad": 1, "SGD": 0}

#: Seconds of counting a forward pass after which gradients are not counted as well.
LONGEST_COUNT = 1.0

#: Sections whose keys a reader of the tree does not miss: they are Hydra's and the project's own wiring.
_LEFT_OUT = ("choices",)


def config_tree(config: Mapping[str, Any]) -> Tree:
    """Sections as branches, with the chosen member of a group behind its name; values of a section side by side."""
    tree = Tree(Text("configuration", "bold"), guide_style="dim")
    choices = config.get("choices") or {}
    _grow(tree, {name: value for name, value in config.items() if name not in _LEFT_OUT}, choices, "")
    return tree


def _grow(branch: Tree, section: Mapping[str, Any], choices: Mapping[str, Any], path: str) -> None:
    plain = [(name, value) for name, value in section.items() if not _is_section(value) and name != "_partial_"]
    if plain:
        branch.add(Text("  ").join(_pair(name, value) for name, value in plain))
    for name, value in section.items():
        if _is_section(value):
            place = f"{path}/{name}" if path else str(name)
            chosen = choices.get(place)
            title = Text(str(name), "bold cyan")
            title.append(f" {chosen}" if chosen else "", "green")
            _grow(branch.add(title), value, choices, place)


def _is_section(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value)


def _pair(name: str, value: Any) -> Text:
    """``name=value`` as it is typed; a class by its own name."""
    if name == "_target_":
        return Text(str(value).rpartition(".")[2])
    return Text.assemble((f"{name}=", "dim"), typed(value))


@dataclass(frozen=True)
class PartRow:
    """Parameters, those that are learned, and multiply-adds times two of one image; None where nobody counted them."""

    name: str
    parameters: int
    trained: int
    operations: float | None


def part_rows(model: Captioner, size: Size) -> list[PartRow]:
    """The parts of a model, and their arithmetic for one training image of (height, width) ``size``."""
    counted = operations_of_parts(model, size)
    return [PartRow(name, *_parameters(part), counted.get(name)) for name, part in model.named_children()]


def _parameters(part: nn.Module) -> tuple[int, int]:
    sizes = [(item.numel(), item.requires_grad) for item in part.parameters()]
    return sum(count for count, _ in sizes), sum(count for count, learned in sizes if learned)


def model_table(model: Captioner, size: Size) -> Table:
    """A row for each part and their sum."""
    rows = part_rows(model, size)
    table = Table("part")
    for name in ("parameters", "trained", "GFLOP"):
        table.add_column(name, justify="right")
    sums = (sum(row.parameters for row in rows), sum(row.trained for row in rows))
    known = [row.operations for row in rows if row.operations is not None]
    for row in [*rows, PartRow("all", *sums, sum(known) if known else None)]:
        operations = "-" if row.operations is None else f"{row.operations / 1e9:,.3g}"
        style = "bold" if row.name == "all" else ""
        table.add_row(row.name, f"{row.parameters:,}", f"{row.trained:,}", operations, style=style)
    return table


def counted_sentence(model: Captioner, size: Size) -> str:
    """What the operations of the table are those of."""
    what = f"GFLOP: forward pass of one training image, {size[1]} x {size[0]} pixels"
    if not isinstance(model, DenseCaptioner):
        return f"{what}, and a caption of {WORDS} words"
    return f"{what}, with {model.localization.region_batch_size} regions, half of them described by {WORDS} words"


def training_sentence(model: Captioner, size: Size) -> str | None:
    """The arithmetic of a training step an image, gradients included; None where it is not counted."""
    if not isinstance(model, DenseCaptioner):
        return None
    regions = model.localization.region_batch_size
    captions = regions // 2
    try:
        total = training_operations(model, [size], regions, captions, WORDS, captions * (WORDS + 1))
    except (RuntimeError, NotImplementedError):
        return None
    return f"training takes {total / 1e9:,.3g} GFLOP an image, gradients included"


def memory_sentence(model: Captioner, optimizer: str, precision: str) -> str:
    """What parameters, gradients and the optimiser's copies take in memory; activations depend on the batch."""
    bytes_each = {"64-true": 8, "16-true": 2, "bf16-true": 2}.get(precision, 4)
    every, trained = _parameters(model)
    copies = OPTIMIZER_COPIES.get(optimizer.rpartition(".")[2], 2)
    parts = {"parameters": every, "gradients": trained, "optimiser": copies * trained}
    listed = ", ".join(f"{name} {_size(count * bytes_each)}" for name, count in parts.items())
    return f"memory: {_size(sum(parts.values()) * bytes_each)} ({listed}); activations come on top"


def _size(number: float) -> str:
    return f"{number / 2**30:.2f} GiB" if number >= 2**30 else f"{number / 2**20:.1f} MiB"


def training_size(data: CaptioningDataModule) -> Size:
    """(height, width) of the first training image as the model sees it."""
    file = RegionFile(data.file)
    height, width = file.sizes[file.indices("train")[0]].tolist()
    return resized_size(height, width, data.image_size, truncate=data.compat == "densecap2016")


def _is_later_job() -> bool:
    """Whether this is a job of a sweep, but not its first: their configurations are much the same."""
    if not HydraConfig.initialized():
        return False
    job = HydraConfig.get().job
    return not OmegaConf.is_missing(job, "num") and int(job.num) > 0


def introduce(config: Mapping[str, Any], model: Captioner, size: Callable[[], Size], console: Console) -> None:
    """Print all of it; ``size`` gives (height, width) of one training image."""
    if config.get("print_config") and not _is_later_job():
        console.print(config_tree(config))
    if not config["trainer"].get("enable_model_summary"):
        return
    seen, began = size(), time.perf_counter()
    console.print(model_table(model, seen))
    quick = time.perf_counter() - began < LONGEST_COUNT
    training = training_sentence(model, seen) if quick else None
    memory = memory_sentence(model, config["optimizer"]["_target_"], str(config["trainer"]["precision"]))
    for sentence in (counted_sentence(model, seen), training, memory):
        if sentence:
            console.print(sentence, soft_wrap=True, markup=False, highlight=False)
