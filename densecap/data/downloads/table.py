"""Which files a data set consists of, where their owners publish them, and what is known about them.

An address, a size or a checksum stands here only if somebody has published it; None is "not known". A new data set is
one more entry of ``DOWNLOADS``, under the name that its ``configs/data/*.yaml`` gives itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from densecap.data.downloads.caption_sets import COCO, FLICKR8K, FLICKR30K, IAPR_TC12, KARPATHY
from densecap.data.downloads.remote_file import RemoteFile
from densecap.errors import UserError

# Visual Genome, https://homes.cs.washington.edu/~ranjay/visualgenome/api.html, formerly at visualgenome.org. The images
# have always been at Stanford. Sizes and checksums of images, image_data and region_descriptions_v1: the file
# dataset_infos.json of "visual_genome" in the repository huggingface/datasets, noted when all was downloaded in 2022.
# Of region_descriptions (1.2) people who downloaded it publish the size and the checksum, together with those of the
# other files, which are the ones of dataset_infos.json.
_ANNOTATIONS = "https://homes.cs.washington.edu/~ranjay/visualgenome/data/dataset"
_FORMER = "https://visualgenome.org/static/data/dataset"
_IMAGES = "https://cs.stanford.edu/people/rak248/VG_100K_2"

VISUAL_GENOME = (
    RemoteFile(
        key="splits",  # in the repository of DenseCap, info/ at commit 7c32170
        name="densecap_splits.json",
        target="densecap_splits.json",
        addresses=("https://raw.githubusercontent.com/jcjohnson/densecap/master/info/densecap_splits.json",),
        size=781_860,
        sha256="b8994337972228a57a401f63c5cc7f10b13f4b87261483222185968ef04f4742",
    ),
    RemoteFile(
        key="sizes",
        name="image_data.json.zip",
        target="image_data.json",
        addresses=(f"{_ANNOTATIONS}/image_data.json.zip", f"{_FORMER}/image_data.json.zip"),
        size=1_780_854,
        sha256="b87a94918cb2ff4d952cf1dfeca0b9cf6cd6fd204c2f8704645653be1163681a",
        unpack="file",
    ),
    RemoteFile(
        key="regions",
        name="region_descriptions.json.zip",
        target="region_descriptions.json",
        addresses=(f"{_ANNOTATIONS}/region_descriptions.json.zip", f"{_FORMER}/region_descriptions.json.zip"),
        size=127_377_968,
        sha256="038382219029c9cb0d7b0308b1d45f7537cf5a47b98f493f6d0e30c8947fb15d",
        unpack="file",
        versions=("1.2",),
    ),
    RemoteFile(
        key="regions",
        name="region_descriptions_v1.json.zip",
        target="region_descriptions.json",
        addresses=(f"{_FORMER}/region_descriptions_v1.json.zip",),
        size=99_460_401,
        sha256="9e54cd76082f7ce5168a1779fc8c3d0629720492ec0fa12f2d8339c3e0dc9734",
        unpack="file",
        versions=("1.0",),
    ),
    RemoteFile(
        key="images",
        name="images.zip",
        target="VG_100K",
        addresses=(f"{_IMAGES}/images.zip",),
        size=9_731_705_982,
        sha256="51c682d2721f880150720bb416e0346a4c787e4c55d7f80dfd1bd3f73ba81646",
        unpack="images",
    ),
    RemoteFile(
        key="images",
        name="images2.zip",
        target="VG_100K_2",
        addresses=(f"{_IMAGES}/images2.zip",),
        size=5_471_658_058,
        sha256="99da1a0ddf87011319ff3b05cf9176ffee2731cc3c52951162d9ef0d68e3cfb5",
        unpack="images",
    ),
)

DOWNLOADS: dict[str, tuple[RemoteFile, ...]] = {
    "visual_genome": VISUAL_GENOME,
    "coco": COCO,
    "flickr8k": FLICKR8K,
    "flickr30k": FLICKR30K,
    "iapr_tc12": IAPR_TC12,
    "karpathy": KARPATHY,
}

#: What no command can fetch, and what to do about it.
ON_REQUEST = {
    "flickr30k": "the photos of Flickr30K are given out on request: fill in the form that "
    "http://hockenmaier.cs.illinois.edu/DenotationGraph/ links to, and unpack flickr30k-images.tar.gz",
}


def files_of(name: str, version: str | None = None, only: Sequence[str] | None = None) -> list[RemoteFile]:
    """The files of a data set, small ones first; ``only`` keeps those with the given keys, optional ones too.

    UserError when nothing is to be downloaded for that data set, or a key is not among its own.
    """
    if name not in DOWNLOADS:
        raise UserError(f"data={name} has nothing to download; this command fetches {', '.join(sorted(DOWNLOADS))}")
    files = [file for file in DOWNLOADS[name] if not file.versions or str(version) in file.versions]
    keys = list(dict.fromkeys(file.key for file in files))
    unknown = sorted(set(only or ()) - set(keys))
    if unknown:
        raise UserError(f"only={unknown[0]} is no part of data={name}, whose parts are {', '.join(keys)}")
    return [file for file in files if (file.key in only if only else not file.optional)]
