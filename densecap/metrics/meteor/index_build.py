"""Turns METEOR's table of paraphrases into arrays that are mapped into memory instead of being read.

Phrases are paths in a tree of words. A node is the position of its edge in ``edges`` (int64, sorted), whose value is
``parent << WORD_BITS | word``; the root is ROOT, so single words come first. Per node ``sources`` (int32) holds the
phrase's row in the table, or -1, and ``targets`` (bool) whether it is some phrase's paraphrase. Row r of the table is
``paraphrases[offsets[r]:offsets[r + 1]]``, nodes in the table's own order, which decides between equal alignments.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

WORD_BITS = 24
ROOT = -1
ARRAYS = ("edges", "sources", "targets", "offsets", "paraphrases")
_LONGEST_PHRASE = 7
_LINES_PER_BLOCK = 600_000


class _Numbers(dict[str, int]):
    """Numbers words in the order in which they are first asked for, from 1 on."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self) + 1
        return number


def build_index(table: Path, folder: Path) -> None:
    """Write ``words.txt`` and one ``.npy`` per entry of ARRAYS for the compressed table into ``folder``."""
    words = _Numbers()
    blocks = [block for pair in _read(table, words) for block in pair]  # sources and targets in turn
    lengths = [len(block) for block in blocks]
    nodes, edges = _grow_tree(blocks)
    _write(folder, words, edges, *_take_apart(nodes, lengths))


def _read(table: Path, words: _Numbers) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of source and target phrases, each (n, 7) word numbers padded with 0, in the order of the file."""
    from rich.console import Console  # here, because most starts find an index and build nothing
    from rich.progress import BarColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    console.print("Indexing METEOR's paraphrases: once, about 15 seconds")
    with table.open("rb") as raw, Progress(BarColumn(), TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=table.stat().st_size)
        with gzip.open(raw, "rt", encoding="utf-8", errors="replace", newline="\n") as text:
            while lines := list(islice(text, _LINES_PER_BLOCK)):
                yield _numbers(lines[1::3], words), _numbers(lines[2::3], words)
                bar.update(task, completed=raw.tell())


def _numbers(lines: list[str], words: _Numbers) -> np.ndarray:
    """Phrases, one per line, as (n, 7) word numbers; those of more words than any in METEOR's table are refused."""
    counts = np.fromiter((line.count(" ") + 1 for line in lines), np.int64, len(lines))
    if len(counts) and counts.max() > _LONGEST_PHRASE:
        raise ValueError(f"a phrase of {counts.max()} words in METEOR's table of paraphrases")
    flat = " ".join(lines).split()
    numbers = np.fromiter(map(words.__getitem__, flat), np.int32, len(flat))
    table = np.zeros((len(lines), _LONGEST_PHRASE), np.uint16 if len(words) < 1 << 16 else np.int32)
    table[np.arange(_LONGEST_PHRASE) < counts[:, None]] = numbers
    return table


def _grow_tree(blocks: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The node of each phrase (n,) and the sorted edges of the tree that holds them all. Empties ``blocks``."""
    phrases = np.concatenate(blocks)
    blocks.clear()
    nodes = np.full(len(phrases), ROOT, np.int64)
    levels: list[np.ndarray] = []
    size = 0
    for column in range(_LONGEST_PHRASE):
        rows = np.flatnonzero(phrases[:, column])
        edges, place = np.unique(nodes[rows] << WORD_BITS | phrases[rows, column], return_inverse=True)
        nodes[rows] = place + size
        levels.append(edges)
        size += len(edges)
    return nodes.astype(np.int32), np.concatenate(levels)


def _take_apart(nodes: np.ndarray, lengths: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Source and target node of every entry, from the blocks that alternate in ``nodes``."""
    pieces = np.split(nodes, np.cumsum(lengths)[:-1])
    return np.concatenate(pieces[::2]), np.concatenate(pieces[1::2])


def _write(
    folder: Path, words: _Numbers, edges: np.ndarray, source_nodes: np.ndarray, target_nodes: np.ndarray
) -> None:
    order = np.argsort(source_nodes, kind="stable")
    heads, counts = np.unique(source_nodes, return_counts=True)
    sources = np.full(len(edges), -1, np.int32)
    sources[heads] = np.arange(len(heads), dtype=np.int32)
    targets = np.zeros(len(edges), np.bool_)
    targets[target_nodes] = True
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    arrays = (edges, sources, targets, offsets, target_nodes[order])
    (folder / "words.txt").write_text("\n".join(words), encoding="utf-8", newline="\n")
    for name, array in zip(ARRAYS, arrays, strict=True):
        np.save(folder / f"{name}.npy", array)
