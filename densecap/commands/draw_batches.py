"""``debug=data``: batches drawn with their boxes and captions, as the model sees them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from PIL import Image
from rich.console import Console

from densecap.data.datamodule import CaptioningDataModule
from densecap.ops.whole_boxes import is_whole
from densecap.prediction.caption_strip import with_caption
from densecap.prediction.drawing import draw_regions, image_from_tensor, save_sheet
from densecap.structures import Batch, RegionPrediction
from densecap.text.vocabulary import Vocabulary

#: Pictures in a row of the sheet.
COLUMNS = 3


def draw_batches(data: CaptioningDataModule, folder: Path, count: int, console: Console) -> list[Path]:
    """The first ``count`` training batches as ``batch_1.jpg`` ... in the folder: flipped, resized and with words that
    the vocabulary does not have as ``<UNK>``. Says what is in them."""
    written = []
    for number, batch in enumerate(islice(data.train_dataloader(), count), start=1):
        path = folder / f"batch_{number}.jpg"
        save_sheet(path, drawn(batch, data.vocabulary), COLUMNS)
        written.append(path)
        console.print(f"{path}: {in_words(batch)}", soft_wrap=True, markup=False, highlight=False)
    return written


def drawn(batch: Batch, vocabulary: Vocabulary) -> list[Image.Image]:
    """A picture of each image, without its padding, below a line with its id, size and number of regions."""
    return [_drawn(batch, place, vocabulary) for place in range(len(batch))]


def _drawn(batch: Batch, place: int, vocabulary: Vocabulary) -> Image.Image:
    height, width = batch.image_sizes[place]
    picture = image_from_tensor(batch.images[place][:, :height, :width])
    regions = batch.regions[place]
    captions = [vocabulary.decode(row) for row in regions.tokens.tolist()]
    head = f"{batch.image_ids[place]}: {width} x {height} pixels, {len(captions)} regions"
    sizes = regions.boxes.new_tensor([[height, width]] * len(captions)).reshape(len(captions), 2)
    if len(captions) and bool(is_whole(regions.boxes, sizes).all()):
        return with_caption(picture, " / ".join([head, *captions]))
    boxes = [RegionPrediction(tuple(box), 1.0, said, 0.0) for box, said in zip(regions.boxes.tolist(), captions)]
    return with_caption(draw_regions(picture, boxes), head, text_size=18)


def in_words(batch: Batch) -> str:
    """The shape of what the model is given, and how much there is to learn from."""
    regions = sum(map(len, batch.regions))
    words = sum(int((item.tokens > 0).sum()) for item in batch.regions)
    longest = max((int((row > 0).sum()) for item in batch.regions for row in item.tokens), default=0)
    count, _, height, width = batch.images.shape
    return (
        f"{count} images padded to {width} x {height} pixels, {regions} regions, {words} words, "
        f"{longest} in the longest caption"
    )
