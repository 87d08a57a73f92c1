"""The pictures of a prepared file, batch by batch, decoded beside the model that looks at them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from torch import Tensor

from densecap.data.hdf5 import RegionFile
from densecap.data.images import decode_image


def stored_pictures(
    source: RegionFile, rows: Sequence[int], batch_size: int
) -> Iterator[tuple[Sequence[int], list[Tensor]]]:
    """Rows, ``batch_size`` at once, with their pictures (3, H, W) uint8; two batches are decoded ahead."""
    files = source.files

    def decoded(batch: Sequence[int]) -> list[Tensor]:
        return [decode_image(source.image_bytes(row), files[row]) for row in batch]

    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    waiting: deque[Future[list[Tensor]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="decode") as pool:
        for number, batch in enumerate(batches):
            waiting += [pool.submit(decoded, ahead) for ahead in batches[number + len(waiting) : number + 3]]
            yield batch, waiting.popleft().result()
