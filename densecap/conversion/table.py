"""The formats that ``convert`` reads: one entry each is all that a new one needs here, beside its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from densecap.conversion import caffe_vgg16, densecap_pytorch, densecap_t7, mrnn_features, mrnn_tf, neuraltalk2_t7
from densecap.conversion.beside import NOTHING, Beside
from densecap.conversion.caffe import network as caffe
from densecap.conversion.converted import Converted
from densecap.conversion.pickles import reader as pickles
from densecap.conversion.tensorflow import checkpoint as tensorflow
from densecap.conversion.tensorflow import table as tensorflow_table
from densecap.conversion.torch7 import reader as torch7
from densecap.errors import UserError


@dataclass(frozen=True)
class Format:
    """``suits`` tells from name and first bytes whether a file may be of the format; ``opened`` reads what several
    formats share (errors: UserError for a broken file), ``matches`` says whether that is it, ``convert`` what comes of
    it and of what was given beside it."""

    name: str
    summary: str
    suits: Callable[[Path], bool]
    opened: Callable[[Path], Any]
    matches: Callable[[Any], bool]
    convert: Callable[[Any, Path, Beside], Converted]


FORMATS = (
    Format("densecap_t7", "DenseCap of 2016", torch7.suits, torch7.read, densecap_t7.matches, densecap_t7.convert),
    Format("neuraltalk2_t7", "NeuralTalk2", torch7.suits, torch7.read, neuraltalk2_t7.matches, neuraltalk2_t7.convert),
    Format("caffe_vgg16", "Caffe's VGG-16", caffe.suits, caffe.read, caffe_vgg16.matches, caffe_vgg16.convert),
    Format(
        "densecap_pytorch",
        "soloist97's densecap-pytorch",
        densecap_pytorch.suits,
        densecap_pytorch.opened,
        densecap_pytorch.matches,
        densecap_pytorch.convert,
    ),
    Format("mrnn_tf", "TF-mRNN", tensorflow_table.suits, tensorflow.read, mrnn_tf.matches, mrnn_tf.convert),
    Format(
        "mrnn_features", "m-RNN's features", pickles.suits, pickles.read, mrnn_features.matches, mrnn_features.convert
    ),
)


def convert(path: Path, name: str | None = None, beside: Beside = NOTHING) -> Converted:
    """What comes of a file, in the format ``name`` or the one it is recognised as. Errors: UserError."""
    path = tensorflow.given_path(path)
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    found = recognised(path) if name is None else find_format(name)
    if found is None:
        raise UserError(f"{path} is in no format that is known here; those are {_listing()}: name one with from=FORMAT")
    return found.convert(found.opened(path), path, beside)


def recognised(path: Path) -> Format | None:
    """The format of a file by its content. Errors: UserError for a broken file of a format that is known."""
    opened: dict[Callable[[Path], Any], Any] = {}
    for item in FORMATS:
        if item.suits(path):
            if item.opened not in opened:
                opened[item.opened] = item.opened(path)
            if item.matches(opened[item.opened]):
                return item
    return None


def find_format(name: str) -> Format:
    """Errors: UserError with the nearest name."""
    found = {item.name: item for item in FORMATS}
    if name not in found:
        near = get_close_matches(name, found, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"from={name} is no format that is known here{hint}; those are {_listing()}")
    return found[name]


def _listing() -> str:
    return ", ".join(f"{item.name} ({item.summary})" for item in FORMATS)
