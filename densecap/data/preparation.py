"""From a reader to the prepared file: clean, filter, store images, count words, write (DenseCap's preprocess.py).

What the 2016 code did is kept where it decides what the model sees: the words of a phrase, the length filter, the
least count of a word. What made it fail or differ between machines is not: captions without words, boxes without area,
images that cannot be read and images without a region left are dropped and counted, and the vocabulary has an order.
"""

from __future__ import annotations

import errno
import json
import shutil
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from densecap.data.box_pass import fit_boxes
from densecap.data.hdf5_writer import RegionFileContents, write_region_file
from densecap.data.image_pass import ImagePass
from densecap.data.prepared import PreparationOptions, Prepared, count_per_image
from densecap.data.progress import image_progress
from densecap.data.provenance import describe_run
from densecap.data.reader import Reader
from densecap.data.report import make_report
from densecap.data.text_pass import collect, encode
from densecap.errors import UserError


def build_region_file(
    reader: Reader, options: PreparationOptions, file: Path, num_threads: int, console: Console
) -> dict[str, Any]:
    """Write ``file`` and, beside it, ``<file>.report.json``; returns the report of ``densecap.data.report``.

    Images done before an interruption lie in ``<file>.parts`` and are found again. UserError when nothing is left to
    train on, or the disk is full.
    """
    parts = file.with_name(f"{file.name}.parts")
    try:
        images, prepared = _run_passes(reader, options, parts, num_threads, console)
        report = make_report(reader, options, prepared)
        contents = _contents(reader, options, prepared, report)
        write_region_file(file, contents, compress(images.jpegs(), prepared.kept_counts))
        text = json.dumps(report, indent=1, ensure_ascii=False)
        file.with_name(f"{file.name}.report.json").write_text(text, encoding="utf-8")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(f"the disk of {file.parent} is full: make room and start again, {parts} is kept") from None
        raise
    except KeyboardInterrupt:
        console.print(
            f"interrupted: what is done is kept in {parts}, the same command goes on from there", soft_wrap=True
        )
        raise
    shutil.rmtree(parts, ignore_errors=True)
    return report


def _run_passes(
    reader: Reader, options: PreparationOptions, parts: Path, num_threads: int, console: Console
) -> tuple[ImagePass, Prepared]:
    with image_progress(console) as progress:
        task = progress.add_task("reading annotations", total=reader.expected_images)
        found = collect(reader.records(), options.max_tokens, lambda count: progress.advance(task, count))
        progress.update(task, total=len(found.ids), completed=len(found.ids))
        images = ImagePass(found.paths, options.image_size, parts)
        image_task = progress.add_task("storing images", total=len(found.ids))
        stored, resumed = images.run(num_threads, lambda count: progress.advance(image_task, count))
    if resumed:
        console.print(
            f"{resumed:,} of {len(stored):,} images were there from an earlier run", highlight=False, soft_wrap=True
        )
    fitted = fit_boxes(found, stored, reader.annotated_sizes)
    if not (np.asarray(found.splits)[count_per_image(found, fitted.kept) > 0] == 0).any():
        broken = [row.error for row in stored if row.error is not None]
        hint = f"{len(broken):,} images are not readable, first: {broken[0]}" if broken else "see data.max_tokens"
        raise UserError(f"no image with a region is left for training in {reader.root} ({hint})")
    encoding = encode(found, fitted.kept, options.min_token_count, options.vocabulary_splits, options.max_tokens)
    if set(encoding.vocabulary.words) <= {"<UNK>"}:
        least = f"data.min_token_count={options.min_token_count} times in {' and '.join(options.vocabulary_splits)}"
        raise UserError(f"no word occurs {least}: lower it for a small data set, down to data.min_token_count=1")
    return images, Prepared(found, stored, fitted, encoding)


def _contents(
    reader: Reader, options: PreparationOptions, prepared: Prepared, report: dict[str, Any]
) -> RegionFileContents:
    found, fitted, encoding, kept = prepared.found, prepared.fitted, prepared.encoding, prepared.kept_images
    rows = [prepared.stored[index] for index in kept]
    return RegionFileContents(
        name=options.name,
        ids=[found.ids[index] for index in kept],
        files=[_file_name(found.paths[index], reader.root) for index in kept],
        splits=prepared.image_splits[kept],
        offsets=np.cumsum([0, *(row.num_bytes for row in rows)]),
        sizes=np.array([(row.height, row.width) for row in rows]),
        original_sizes=np.array([(row.original_height, row.original_width) for row in rows]),
        first_region=np.cumsum([0, *prepared.kept_counts[kept]]),
        boxes=fitted.boxes[fitted.kept],
        tokens=encoding.tokens,
        lengths=encoding.lengths,
        captions=list(compress(found.captions, fitted.kept)),
        words=encoding.vocabulary.words,
        counts=encoding.counts,
        provenance=describe_run(options.to_json(), reader.root, reader.sources, reader.id_space),
        report=report,
    )


def _file_name(path: Path, root: Path) -> str:
    """The path relative to the root of the data set, where it lies in it."""
    name = path.relative_to(root) if path.is_relative_to(root) else path
    return name.as_posix().encode("utf-8", "replace").decode("utf-8")
