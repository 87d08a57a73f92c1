"""What preprocessing kept and dropped, as plain data for the prepared file.

name, options
images, regions    kept: {split: count}, dropped: {reason: {split: count}}; the split "-" stands for none
vocabulary         size (``<UNK>`` included), min_token_count, counted_on, distinct_words, words: {split: count},
                   unknown: {split: count}, share_unknown: {split: 0..1}
storage            images, image_bytes, bytes_per_image, copied, reencoded, file_bytes (estimated), and for Visual
                   Genome full_visual_genome_gb: file bytes an image times 108,077
broken_images      [{file, reason}]
facts, problems    the reader's own: entries, and sentences for people
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from densecap.data.hdf5 import SPLITS
from densecap.data.prepared import PreparationOptions, Prepared
from densecap.data.reader import Reader, Tally
from densecap.data.text_pass import NO_REGION_LEFT

#: Images of the whole of Visual Genome, to which the size is extrapolated.
VISUAL_GENOME_IMAGES = 108_077

NOT_READABLE = "image not readable"
NO_AREA = "box without area"


def make_report(reader: Reader, options: PreparationOptions, prepared: Prepared) -> dict[str, Any]:
    """The report described at the top of this file."""
    kept_splits = prepared.image_splits[prepared.kept_images]
    return {
        "name": options.name,
        "options": options.to_json(),
        "images": {"kept": _per_split(kept_splits), "dropped": _by_reason(_dropped_images(reader, prepared))},
        "regions": {
            "kept": _per_split(prepared.region_splits[prepared.fitted.kept]),
            "dropped": _by_reason(_dropped_regions(reader, prepared)),
        },
        "vocabulary": _vocabulary(options, prepared),
        "storage": _storage(options, prepared),
        "broken_images": [
            {"file": str(path), "reason": row.error}
            for path, row in zip(prepared.found.paths, prepared.stored)
            if row.error is not None
        ],
        "facts": reader.facts,
        "problems": [*reader.problems, *_size_problems(prepared), *_empty_splits(kept_splits)],
    }


def _dropped_images(reader: Reader, prepared: Prepared) -> Tally:
    dropped = reader.dropped_images + prepared.found.dropped_images
    emptied = (prepared.kept_counts == 0) & prepared.readable_images
    _count(dropped, NOT_READABLE, prepared.image_splits[~prepared.readable_images])
    _count(dropped, NO_REGION_LEFT, prepared.image_splits[emptied])
    return dropped


def _dropped_regions(reader: Reader, prepared: Prepared) -> Tally:
    dropped = reader.dropped_regions + prepared.found.dropped_regions
    fitted = prepared.fitted
    _count(dropped, NOT_READABLE, prepared.region_splits[~fitted.readable])
    _count(dropped, NO_AREA, prepared.region_splits[fitted.readable & ~fitted.kept])
    return dropped


def _count(tally: Tally, reason: str, splits: np.ndarray) -> None:
    for split, count in zip(SPLITS, np.bincount(splits, minlength=len(SPLITS)).tolist()):
        tally[reason, split] += count


def _per_split(splits: np.ndarray) -> dict[str, int]:
    return dict(zip(SPLITS, np.bincount(splits, minlength=len(SPLITS)).tolist()))


def _by_reason(tally: Tally) -> dict[str, dict[str, int]]:
    """{reason: {split: count}}, the most frequent reason first."""
    totals: Counter[str] = Counter()
    for (reason, _), count in tally.items():
        totals[reason] += count
    order = [reason for reason, total in totals.most_common() if total]
    return {reason: {split: n for (name, split), n in tally.items() if name == reason and n} for reason in order}


def _vocabulary(options: PreparationOptions, prepared: Prepared) -> dict[str, Any]:
    encoding = prepared.encoding
    words, unknown = encoding.word_totals.tolist(), encoding.unknown_totals.tolist()
    return {
        "size": len(encoding.vocabulary),
        "min_token_count": options.min_token_count,
        "counted_on": list(options.vocabulary_splits),
        "distinct_words": len(prepared.found.spelling),
        "words": dict(zip(SPLITS, words)),
        "unknown": dict(zip(SPLITS, unknown)),
        "share_unknown": {split: round(u / w, 6) for split, u, w in zip(SPLITS, unknown, words) if w},
    }


def _storage(options: PreparationOptions, prepared: Prepared) -> dict[str, Any]:
    rows = [prepared.stored[index] for index in prepared.kept_images]
    image_bytes, copied = sum(row.num_bytes for row in rows), sum(row.copied for row in rows)
    storage: dict[str, float] = {
        "images": len(rows),
        "image_bytes": image_bytes,
        "bytes_per_image": round(image_bytes / len(rows)),
        "copied": copied,
        "reencoded": len(rows) - copied,
        "file_bytes": image_bytes + _region_bytes(prepared),
    }
    if options.name.startswith("visual_genome"):
        storage["full_visual_genome_gb"] = round(storage["file_bytes"] / len(rows) * VISUAL_GENOME_IMAGES / 1e9, 2)
    return storage


def _region_bytes(prepared: Prepared) -> int:
    """About what a region takes: box, tokens, length, and the caption with its entry and heap header."""
    captions = sum(map(len, prepared.found.captions))
    return len(prepared.encoding.lengths) * (16 + 4 * prepared.encoding.tokens.shape[1] + 4 + 32) + captions


def _size_problems(prepared: Prepared) -> list[str]:
    problems = []
    for ids, what in (
        (prepared.fitted.scaled, "are of another size than annotated: their boxes were scaled to the files"),
        (prepared.fitted.misfits, "are of another shape than annotated: their boxes were left as they are"),
    ):
        if ids:
            problems.append(f"{len(ids):,} images {what} ({_some(ids)})")
    return problems


def _empty_splits(kept_splits: np.ndarray) -> list[str]:
    counts = _per_split(kept_splits)
    return [f"there is no image for {split}" for split in SPLITS if not counts[split]]


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
