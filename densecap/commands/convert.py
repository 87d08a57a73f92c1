"""``convert``: turn a model that other software saved into a checkpoint, or its backbone into a file of weights."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from densecap.conversion.beside import Beside
from densecap.conversion.converted import Converted
from densecap.conversion.table import convert
from densecap.conversion.writing import save_made
from densecap.errors import UserError

console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def run(cfg: DictConfig) -> int:
    """Convert ``cfg.path`` from the format ``cfg.from``; exit status 0."""
    path = one_path(cfg.path)
    made = convert(path, None if cfg["from"] is None else str(cfg["from"]), beside(cfg))
    write(made, path, output_path(cfg.output, path, made))
    return 0


def beside(cfg: DictConfig) -> Beside:
    """What was given beside the file."""
    annotations = {split: _file(value) for split, value in cfg.annotations.items() if value is not None}
    vocabulary = None if cfg.vocabulary is None else _file(cfg.vocabulary)
    weights = None if cfg.weights is None else str(cfg.weights)
    return Beside(vocabulary, weights, {str(split): path for split, path in annotations.items()})


def _file(given: object) -> Path:
    return Path(str(given)).expanduser()


def one_path(given: object) -> Path:
    """Errors: UserError for several."""
    if not isinstance(given, str | int | float):
        raise UserError(
            "convert takes one file at a time, as in: python -m densecap convert from=densecap_t7 path=FILE"
        )
    return Path(str(given)).expanduser()


def output_path(given: object, path: Path, made: Converted) -> Path:
    """Where the result goes; errors: UserError when that is a folder, or the file that is converted."""
    output = path.with_suffix(made.ending) if given is None else Path(str(given)).expanduser()
    if output.is_dir():
        raise UserError(
            f"output={output} is a folder: give the name of a file, such as {output / 'model'}{made.ending}"
        )
    if output.exists() and output.samefile(path):
        raise UserError(f"output={output} is the file that is to be converted: give another name")
    return output


def write(made: Converted, path: Path, output: Path) -> None:
    save_made(made, output)
    console.print(f"{path} holds {made.found}")
    console.print(f"written to {output}; use it with: {made.use.replace('PATH', str(output))}")
