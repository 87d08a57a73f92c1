"""Which images a model was trained on, small enough to travel in its checkpoint, and whether any of them is evaluated.

An image is known by 8 bytes, the BLAKE2b digest of "SPACE:ID". The space says whose numbers the ids are (``id_space``
of the reader, else the name of the data set), so a photo of COCO is the same in the files of 2014 and of 2017 and in
Karpathy's json. In the space "flickr" only Flickr's own number counts: "1000268201_693b08cb0e" of Flickr8K and
"1000268201" of Flickr30K are one photo.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from densecap.data.hdf5 import RegionFile


def image_keys(id_space: str, image_ids: Sequence[str]) -> Tensor:
    """(N,) int64, a number for each image, in order."""
    if id_space == "flickr":
        image_ids = [image_id.partition("_")[0] for image_id in image_ids]
    digests = [hashlib.blake2b(f"{id_space}:{name}".encode(), digest_size=8).digest() for name in image_ids]
    return torch.from_numpy(np.frombuffer(b"".join(digests), dtype="<i8").astype(np.int64))


def id_space_of(file: RegionFile) -> str:
    """The space of a prepared file's image ids."""
    attributes = file.attrs
    return str(attributes["provenance"].get("id_space") or attributes["name"])


def training_images(file: RegionFile, earlier: Tensor | None = None) -> Tensor:
    """(M,) int64, ascending: the keys of a file's training images, and those of ``earlier`` training."""
    ids = file.ids
    keys = image_keys(id_space_of(file), [ids[index] for index in file.indices("train").tolist()])
    return torch.unique(keys if earlier is None else torch.cat([keys, earlier]))


def seen_in_training(trained_on: Tensor | None, id_space: str, image_ids: Sequence[str]) -> list[str]:
    """Those of the images that are among ``trained_on`` (M,); none where that is not known."""
    if trained_on is None or not len(trained_on):
        return []
    seen = torch.isin(image_keys(id_space, image_ids), trained_on).tolist()
    return [image_id for image_id, was_seen in zip(image_ids, seen) if was_seen]


def overlap_warning(seen: Sequence[str], split: str, num_evaluated: int, num_trained: int) -> str:
    """One sentence that names the overlap of training and evaluation."""
    first = ", ".join(seen[:5]) + (f" and {len(seen) - 5:,} more" if len(seen) > 5 else "")
    which = "all" if len(seen) == num_evaluated else f"{len(seen):,} of the {num_evaluated:,}"
    return (
        f"the model was trained on {which} evaluated images of split {split} (its {num_trained:,} training images hold "
        f"{first}): these figures do not tell how it does on new images"
    )
