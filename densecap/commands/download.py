"""``download``: fetch the files of a data set, or a model, from where their owners publish them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from densecap.data.downloads.fetching import fetch_all
from densecap.data.downloads.models import published_model
from densecap.data.downloads.table import ON_REQUEST, files_of
from densecap.data.downloads.transfer import OnProgress
from densecap.data.folder_lock import folder_lock

console = Console(stderr=True)


def run(cfg: DictConfig) -> None:
    """Bring ``cfg.data``'s files to ``cfg.data.root``: all or those ``cfg.only`` names; anew if ``cfg.force``.

    With ``model=NAME`` the model is fetched instead, and converted to ``cfg.output``.
    """
    if cfg.get("model"):
        fetch_model(cfg, HydraConfig.get().runtime.choices["model"])
        return
    only = [cfg.only] if isinstance(cfg.only, str) else cfg.only
    files = files_of(cfg.data.name, cfg.data.get("version"), only)
    root = Path(cfg.data.root).expanduser()
    missing = ON_REQUEST.get(cfg.data.name)
    if missing:
        _say(f"{missing} into {root}")
    root.mkdir(parents=True, exist_ok=True)
    with folder_lock(root, lambda: _say(f"waiting for another process that downloads to {root}")):
        fetch_all(files, root, bool(cfg.force), _say, _bar)
    what = "all of it" if not missing else "all but what is given out on request"
    _say(f"{what} is in {root}; next: python -m densecap preprocess data={cfg.data.name}")


def fetch_model(cfg: DictConfig, name: str) -> None:
    """Fetch the published model of that name and convert it; what is there already stays unless ``cfg.force``."""
    model = published_model(name)
    folder = Path(str(cfg.paths.data)).expanduser() / "models"
    output = Path(str(cfg.output)).expanduser() if cfg.output else folder / f"{name}.ckpt"
    if output.is_file() and not cfg.force:
        _say(f"{output} is there already")
        return
    folder.mkdir(parents=True, exist_ok=True)
    with folder_lock(folder, lambda: _say(f"waiting for another process that downloads to {folder}")):
        fetch_all([model.file], folder, bool(cfg.force), _say, _bar)
    from densecap.commands.convert import output_path, write  # takes seconds, which data sets need not wait for
    from densecap.conversion.table import convert

    path = folder / model.file.target
    made = convert(path, model.format)
    write(made, path, output_path(output, path, made))
    _say(f"{path} is not needed any more")


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)


@contextmanager
def _bar(description: str) -> Iterator[OnProgress]:
    """A bar of bytes with rate and estimate; the rate counts only what arrives now, not what was there."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task(description, total=None)
        move = progress.reset  # the first time, so that what was there before does not count as fetched now

        def on_progress(done: int, total: int | None) -> None:
            nonlocal move
            move(task, completed=done, total=total)
            move = progress.update

        yield on_progress
