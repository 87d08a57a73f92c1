"""From ``output`` of predict's config to what is written where, and whether a folder can be gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from densecap.data.folder_lock import folder_lock
from densecap.errors import UserError
from densecap.prediction.crops import CropPictures
from densecap.prediction.journal import Journal
from densecap.prediction.outputs import Outputs
from densecap.prediction.pictures import DrawnPictures, PictureOutput
from densecap.prediction.video import VideoOutput
from densecap.prediction.writers import open_writers, place_of
from densecap.prediction.writers.densecap2016 import ResizedPictures

if TYPE_CHECKING:
    from densecap.commands.prediction_job import Job

#: Temporary names that a killed run leaves behind.
_LEFTOVERS = (
    ".predictions.*.tmp",
    ".coco_captions.json.*.tmp",
    *(f"{name}/.*.tmp" for name in ("images", "videos", "crops", "crops/*", "densecap")),
)


def picture_outputs(job: Job, folder: Path, image_size: int) -> list[PictureOutput]:
    """The formats that are pictures of each image."""
    outputs: list[PictureOutput] = []
    if "images" in job.formats:
        outputs.append(DrawnPictures(folder / place_of("images"), job.style))
    if "crops" in job.formats:
        outputs.append(CropPictures((folder / place_of("crops")).parent))
    if "densecap" in job.formats:
        outputs.append(ResizedPictures((folder / place_of("densecap")).parent, image_size))
    return outputs


def open_outputs(job: Job, target: Path | TextIO, card: dict[str, Any], journal: Journal | None) -> Outputs:
    """Everything that a run writes, into a folder or as one text to a stream."""
    writers = open_writers(job.formats, target, card)
    if not isinstance(target, Path):
        return Outputs(writers)
    video = VideoOutput(target / place_of("video"), job.style) if "video" in job.formats else None
    return Outputs(writers, picture_outputs(job, target, card["config"]["image_size"]), video, journal)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a folder that is written to; leftovers of runs that were killed are removed.

    Errors: UserError when another run writes there now.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def refuse() -> None:
        raise UserError(f"another run writes to {folder} now: wait for it, or give another output.dir")

    with folder_lock(folder, refuse):
        for pattern in _LEFTOVERS:
            for path in folder.glob(pattern):
                path.unlink(missing_ok=True)
        yield
