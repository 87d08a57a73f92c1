"""``info``: what is in a checkpoint, or in a file of another software's weights.

Prints kind, parts with their parameters, vocabulary, training, source and figures; exit status 0. A kind of file is one
entry of ``KINDS``.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from omegaconf import DictConfig

from densecap.commands import info_exports as exports
from densecap.conversion.caffe import network
from densecap.conversion.description import Description, describe_torch_file
from densecap.conversion.foreign_files import (
    describe_caffe,
    describe_densecap_pytorch,
    describe_pickle,
    describe_tensorflow,
    describe_torch7,
)
from densecap.conversion.pickles import reader as pickles
from densecap.conversion.tensorflow import checkpoint, table
from densecap.conversion.torch7 import reader
from densecap.errors import UserError


@dataclass(frozen=True)
class Kind:
    """``suits`` tells from name and first bytes; ``describe`` reads the file (errors: UserError)."""

    name: str
    suits: Callable[[Path], bool]
    describe: Callable[[Path], Description]


def _is_tar(path: Path) -> bool:
    return path.name.lower().endswith(".pth.tar")


def _is_torch_file(path: Path) -> bool:
    return path.suffix.lower() in (".ckpt", ".pt", ".pth")


KINDS = (
    Kind("models' folders and files of safetensors", exports.suits_safetensors, exports.describe_safetensors),
    Kind("graphs in ONNX", exports.suits_onnx, exports.describe_onnx),
    Kind("programs of torch.export (.pt2)", exports.suits_program, exports.describe_program),
    Kind("TensorFlow's checkpoints", table.suits, describe_tensorflow),
    Kind("checkpoints of densecap and files of PyTorch (.ckpt, .pth)", _is_torch_file, describe_torch_file),
    Kind("Torch7 (.t7)", reader.suits, describe_torch7),
    Kind("Caffe (.caffemodel)", network.suits, describe_caffe),
    Kind("m-RNN's vectors and other pickles of plain values (.npy, .pkl)", pickles.suits, describe_pickle),
    Kind("densecap-pytorch (.pth.tar)", _is_tar, describe_densecap_pytorch),
)


def run(cfg: DictConfig) -> int:
    """Describe ``cfg.path``, one or several."""
    paths = [cfg.path] if isinstance(cfg.path, str | int | float) else list(cfg.path)
    for path in paths:
        file = Path(str(path)).expanduser()
        description = describe(file)
        if cfg.json:
            print(json.dumps({"path": str(file), **asdict(description)}, ensure_ascii=False), flush=True)
        else:
            show(file, description)
    return 0


def describe(path: Path) -> Description:
    """Errors: UserError for a file that is missing, broken or of no kind that is known."""
    path = checkpoint.given_path(path)
    if not path.exists():
        raise UserError(f"there is no file {path}")
    for kind in KINDS:
        if kind.suits(path):
            return kind.describe(path)
    raise UserError(f"{path} is of no kind that is known here; those are {', '.join(kind.name for kind in KINDS)}")


def show(path: Path, description: Description) -> None:
    """One line for the file, then its sections, names and values in columns; numbers stand below one another."""
    print(f"{path}: {description.kind}")
    for title, rows in description.sections.items():
        print(f"\n{title}")
        texts = {name: shown(value) for name, value in rows.items()}
        first = max(len(name) for name in texts)
        width = max(map(len, texts.values())) if all(map(_is_number, rows.values())) else 0
        for name, text in texts.items():
            lines = [text.rjust(width)] if width else _wrapped(text, first)
            for index, line in enumerate(lines):
                print(f"  {'' if index else name:<{first}}  {line}".rstrip())
    print(flush=True)


def shown(value: object) -> str:
    """A value as people read it: 14,714,688 and 0.057."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if _is_number(value) else str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrapped(text: str, first: int) -> list[str]:
    """Lines for a terminal; one line where nobody sees it in one."""
    width = shutil.get_terminal_size().columns - first - 4 if sys.stdout.isatty() else 0
    return textwrap.wrap(text, max(40, width), break_long_words=False) if width and text else [text]
