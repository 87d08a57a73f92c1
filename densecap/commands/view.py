"""``view``: a page over predictions, one file or two side by side; shown in the browser, or written as a folder.

Exit status: 0, also when the server is ended with Ctrl-C.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from densecap.errors import UserError

if TYPE_CHECKING:
    from densecap.viewer.collection import Collection
    from densecap.viewer.truths import Truths


def run(cfg: DictConfig) -> int:
    """Show or write the page as the config says."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    from densecap.viewer.finding import find_predictions

    paths = [find_predictions(name) for name in _names(cfg)]
    images, longest, port = _folder(cfg, "images"), _longest(cfg), _port(cfg)
    if cfg.get("truth") and cfg.get("data"):
        raise UserError("the truth is either a file, truth=FILE, or a data set, data=NAME: give one of them")

    from densecap.viewer.collection import collect
    from densecap.viewer.frames import Frames

    try:
        with tempfile.TemporaryDirectory() as pictures:
            frames = Frames(Path(pictures))
            collection = collect(paths, images, _truths(cfg, console), frames)
            _say(collection, paths, images, frames.problems, console)
            if cfg.get("output"):
                return _write(collection, Path(str(cfg.output)).expanduser(), longest, console)
            return _serve(collection, longest, str(cfg.host), port, bool(cfg.open), console)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise UserError(f"the page cannot be made: {where}{error.strerror or error}") from error


def _names(cfg: DictConfig) -> list[str]:
    given = None if OmegaConf.is_missing(cfg, "path") else cfg.get("path")
    if not given:
        raise UserError(
            "view needs a file of predictions, or a folder with one: python -m densecap view outputs/predict"
        )
    return [str(given)] if isinstance(given, str | int | float) else [str(item) for item in given]


def _folder(cfg: DictConfig, key: str) -> Path | None:
    if not cfg.get(key):
        return None
    path = Path(str(cfg[key])).expanduser()
    if not path.is_dir():
        raise UserError(f"{key}={path} is no folder: give the one that the photos lie in")
    return path


def _longest(cfg: DictConfig) -> int | None:
    value = cfg.get("max_side")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise UserError(f"max_side is a whole number of pixels above 0, or null, got {value}")
    return value


def _port(cfg: DictConfig) -> int:
    value = cfg.get("port")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 65535:
        raise UserError(f"port is a whole number from 0 to 65535, got {value}")
    return value


def _truths(cfg: DictConfig, console: Console) -> Truths | None:
    """Where the truth comes from; a data set is prepared first when that has not been done."""
    from densecap.data.hdf5 import RegionFile
    from densecap.evaluation.truth import Truth
    from densecap.viewer.truths import PreparedTruths, TruthsOfFile, is_prepared

    if cfg.get("data"):
        from densecap.commands.preprocess import prepare

        return PreparedTruths(Truth(RegionFile(prepare(cfg.data, console=console)), str(cfg.split)))
    if not cfg.get("truth"):
        return None
    path = Path(str(cfg.truth)).expanduser()
    if not path.is_file():
        raise UserError(f"truth={path} is no file: give one like those of predictions, or a prepared data set (.h5)")
    return PreparedTruths(Truth(RegionFile(path), str(cfg.split))) if is_prepared(path) else TruthsOfFile(path)


def _say(collection: Collection, paths: list[Path], images: Path | None, problems: list[str], console: Console) -> None:
    lost = sum(image.photo is None for image in collection.images)
    console.print(f"{' and '.join(map(str, paths))}: {len(collection.images):,} images")
    for problem in problems:
        console.print(problem)
    if lost:
        hint = "" if images else "; images=FOLDER says where they lie now"
        console.print(f"{lost:,} of their photos are not to be found, their boxes are shown without{hint}")
    if collection.has_truth and any(image.truth is None for image in collection.images):
        console.print(f"{sum(image.truth is None for image in collection.images):,} images have no truth")


def _write(collection: Collection, folder: Path, longest: int | None, console: Console) -> int:
    from densecap.commands.progress import model_progress
    from densecap.viewer.export import write_site

    with model_progress(console) as progress:
        bar = progress.add_task("copying photos", total=len(collection.images))
        page = write_site(collection, folder, longest, lambda done: progress.update(bar, completed=done))
    console.print(f"written to {page}")
    return 0


def _serve(
    collection: Collection, longest: int | None, host: str, port: int, open_browser: bool, console: Console
) -> int:
    from densecap.viewer.serving import ViewerServer
    from densecap.viewer.site import Site

    with ViewerServer(Site(collection, longest), host, port) as server:
        console.print(f"the page is at {server.url} until Ctrl-C")
        if open_browser and has_screen():
            threading.Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.print("ended")
    return 0


def has_screen() -> bool:
    """Whether a browser would have a window: without one, some would take over the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
