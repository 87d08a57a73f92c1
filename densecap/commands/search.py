"""``search``: index a folder of photos once, then find photos and regions in them by words.

An index is the folder ``index`` (see ``densecap.region_index``). A question prints a table and writes results.json and
sheet.jpg, the photos found with the regions marked. Exit status: 0, 1 when some photos could not be read, 2 when none
could, 130 after Ctrl-C, when what was indexed by then is kept.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from densecap import checkpoint
from densecap.checkpoint import LoadedModel
from densecap.commands.progress import model_progress
from densecap.commands.run_record import output_folder
from densecap.commands.trained_model import choose_device, load_model, model_card, positive, prepare_model
from densecap.data.folder_lock import folder_lock
from densecap.data.splits import sha256_of_file
from densecap.errors import UserError
from densecap.prediction.sources import resolve_sources
from densecap.region_index.building import Describer, build_index, not_yet_indexed, with_most_regions
from densecap.region_index.folder import RegionIndex
from densecap.region_index.query import Query, read_query
from densecap.region_index.ranking import FoundImage, search_index
from densecap.region_index.sheet import write_sheet

RESULTS_VERSION = 1


def run(cfg: DictConfig) -> int:
    """Index, search, or both."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if not cfg.get("query") and not cfg.get("source"):
        raise UserError("search needs photos to index (source=FOLDER), or something to look for (query=WORDS)")
    folder = Path(str(cfg.index)).expanduser()
    status, loaded = 0, None
    try:
        if cfg.get("source"):
            loaded, status = _build(cfg, folder, console)
        if cfg.get("query") and status in (0, 1):
            _search(cfg, folder, loaded or _model_of(cfg, RegionIndex.open(folder)), console)
    except OSError as error:
        raise UserError(f"cannot write {error.filename or folder}: {error.strerror or error}") from error
    return status


def _build(cfg: DictConfig, folder: Path, console: Console) -> tuple[LoadedModel, int]:
    source = cfg.source if isinstance(cfg.source, str) else [str(item) for item in cfg.source]
    paths, most = resolve_sources(source), positive(cfg, "max_regions")
    device = choose_device(cfg.get("device") or "auto")
    known = RegionIndex.open(folder) if not cfg.get("ckpt") and (folder / "index.json").exists() else None
    trained = prepare_model(cfg, device, lambda: _model_of(cfg, known) if known else load_model(cfg, console))
    loaded = trained.loaded
    detection = with_most_regions(trained.detection, most)
    describer = Describer(loaded.model, detection, trained.generation)
    index = RegionIndex.open_or_create(folder, model_card(loaded, detection, trained.generation), most)
    with folder_lock(folder, lambda: console.print(f"waiting for another process in {folder}")):
        waiting = not_yet_indexed(index, paths)
        if len(waiting) < len(paths):
            console.print(f"{len(paths) - len(waiting):,} of {len(paths):,} photos are in {folder} already")
        return loaded, _add(index, describer, waiting, trained.batch_size, console)


def _add(index: RegionIndex, describer: Describer, paths: Sequence[Path], batch_size: int, console: Console) -> int:
    """Index the photos; the exit status."""
    try:
        with model_progress(console) as progress:
            bar = progress.add_task("indexing", total=len(paths))
            problems = build_index(index, describer, paths, batch_size, lambda picture: progress.advance(bar))
    except KeyboardInterrupt:
        console.print(f"interrupted: what is done is kept in {index.folder}, the same command goes on from there")
        return 130
    for path, reason in problems:
        console.print(f"skipped: {path} {reason}")
    if paths:
        console.print(f"indexed {len(paths) - len(problems):,} photos in {index.folder}")
    if not problems:
        return 0
    return 1 if len(problems) < len(paths) else 2


def _model_of(cfg: DictConfig, index: RegionIndex) -> LoadedModel:
    """The model that made the index. Errors: UserError when it is gone, or another one is given."""
    card = index.card["model"]
    path = Path(str(cfg.ckpt)).expanduser() if cfg.get("ckpt") else Path(card["checkpoint"])
    if not path.is_file():
        raise UserError(f"{index.folder} was indexed with {path}, which is gone: say where it is with ckpt=PATH")
    if sha256_of_file(path) != card["sha256"]:
        raise UserError(f"{index.folder} was indexed with another model than {path}: give that one as ckpt=PATH")
    weights = cfg.model.backbone.weights
    return checkpoint.load(path, str(weights)) if weights else checkpoint.load(path)


def _search(cfg: DictConfig, folder: Path, loaded: LoadedModel, console: Console) -> None:
    index, top = RegionIndex.open(folder), positive(cfg, "top")
    model = loaded.model.to(choose_device(cfg.get("device") or "auto"))
    query = read_query(str(cfg.query), model.vocabulary, model.decoder.max_length)
    if query.unknown:
        console.print(f"the model does not know {', '.join(query.unknown)}: looking for {'; '.join(query.phrases)}")
    with model_progress(console) as progress:
        bar = progress.add_task("searching", total=len(index.stamps()))
        found = search_index(index, model.decoder, query.tokens, top, lambda count: progress.advance(bar, count))
    if not found:
        raise UserError(f"no photo in {folder} has a region: add photos with source=FOLDER")
    target = output_folder(cfg)
    _write_results(target / "results.json", query, index, found)
    gone = write_sheet(target / "sheet.jpg", found, query.phrases)
    Console(highlight=False, markup=False).print(results_table(found, query.phrases))
    if gone:
        console.print(f"{len(gone)} of these photos can no longer be read, first: {gone[0]}")
    console.print(f"written to {target}: {', '.join(sorted(path.name for path in target.iterdir()))}")


def _write_results(path: Path, query: Query, index: RegionIndex, found: Sequence[FoundImage]) -> None:
    results: dict[str, Any] = {
        "version": RESULTS_VERSION,
        "phrases": query.phrases,
        "unknown_words": query.unknown,
        "index": str(index.folder.resolve()),
        "model": index.card["model"],
        "images": [image.to_json() for image in found],
    }
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def results_table(found: Sequence[FoundImage], phrases: Sequence[str]) -> Table:
    """A line for each image and phrase."""
    table = Table()
    for title in ("", "photo", "log p", "box", "described as"):
        table.add_column(title, justify="right" if title in ("", "log p") else "left", overflow="fold")
    if len(phrases) > 1:
        table.add_column("looked for")
    for rank, image in enumerate(found, start=1):
        for number, (phrase, region) in enumerate(zip(phrases, image.regions)):
            head = [str(rank), Path(image.file).name] if number == 0 else ["", ""]
            box = " ".join(f"{value:.0f}" for value in region.box)
            row = [*head, f"{region.log_prob:.2f}", box, region.caption]
            table.add_row(*row, *([phrase] if len(phrases) > 1 else []))
    return table
