"""The published files of the data sets of whole-image captions.

COCO: https://cocodataset.org. Sizes and checksums of COCO's files and of Karpathy's archive:
tensorflow_datasets/url_checksums/coco_captions.txt in the repository tensorflow/datasets. Flickr30K Entities' lists are
in the repository BryanPlummer/flickr30k_entities, and their sizes and checksums are those of its files at commits
f5dca58 and, test.txt, b233c8d. m-RNN's split of COCO is in YiwuZhong/Sub-GC. Flickr8K: the
copy that tutorials use, then the address its authors gave. What has no checksum here is reported as unverified.
"""

from __future__ import annotations

from densecap.data.downloads.remote_file import RemoteFile

_COCO = "http://images.cocodataset.org"
_ENTITIES = "https://raw.githubusercontent.com/BryanPlummer/flickr30k_entities/master"
_FLICKR8K = (
    "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k",
    "http://nlp.cs.illinois.edu/HockenmaierGroup/Framing_Image_Description",
)


def _karpathy(*datasets: str) -> RemoteFile:
    """Karpathy's archive, of which the files of some data sets are wanted."""
    return RemoteFile(
        key="splits",
        name="caption_datasets.zip",
        target=".",
        addresses=("https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip",),
        size=36_745_453,
        sha256="4cfd70132527b80933105e5829dc9034eaab9573482e2e680abbab6130244817",
        unpack="members",
        members=tuple(f"dataset_{name}.json" for name in datasets),
    )


def _coco_photos(folder: str, size: int, sha256: str) -> RemoteFile:
    """One of COCO's folders; photos for the server's test are fetched only when they are named."""
    is_test = folder.startswith("test")
    return RemoteFile(
        key="test_images" if is_test else "images",
        name=f"{folder}.zip",
        target=folder,
        addresses=(f"{_COCO}/zips/{folder}.zip",),
        size=size,
        sha256=sha256,
        unpack="images",
        versions=(folder[-4:],),
        optional=is_test,
    )


def _coco_lists(key: str, name: str, members: tuple[str, ...], size: int, sha256: str) -> RemoteFile:
    return RemoteFile(
        key=key,
        name=f"{name}.zip",
        target="annotations",
        addresses=(f"{_COCO}/annotations/{name}.zip",),
        size=size,
        sha256=sha256,
        unpack="members",
        versions=(name[-4:],),
        members=members,
        optional=key == "test_list",
    )


COCO = (
    RemoteFile(
        key="splits",
        name="MRNN_split_dict.npy",
        target="MRNN_split_dict.npy",
        addresses=("https://raw.githubusercontent.com/YiwuZhong/Sub-GC/master/data/MRNN_split_dict.npy",),
    ),
    _karpathy("coco"),
    _coco_lists(
        "annotations",
        "annotations_trainval2014",
        ("captions_train2014.json", "captions_val2014.json"),
        252_872_794,
        "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
    ),
    _coco_lists(
        "annotations",
        "annotations_trainval2017",
        ("captions_train2017.json", "captions_val2017.json"),
        252_907_541,
        "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
    ),
    _coco_lists(
        "test_list",
        "image_info_test2014",
        ("image_info_test2014.json",),
        763_464,
        "7cecc66f6b09c1671c1896a1bcc1f35eb09b7fcf00a5c18420a5f0f5983dc8c9",
    ),
    _coco_lists(
        "test_list",
        "image_info_test2017",
        ("image_info_test2017.json",),
        1_144_034,
        "e52f412dd7195ac8f98d782b44c6dd30ea10241e9f42521f67610fbe055a74f8",
    ),
    _coco_photos("val2014", 6_645_013_297, "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0"),
    _coco_photos("train2014", 13_510_573_713, "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775"),
    _coco_photos("val2017", 815_585_330, "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05"),
    _coco_photos("train2017", 19_336_861_798, "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929"),
    _coco_photos("test2014", 6_660_437_059, "ead40c62230cb2cf70ff4c8b4c70abdc260a7556e77b3282621d06d8e2e35bdf"),
    _coco_photos("test2017", 6_646_970_404, "c7908c3c9f94ba2f3340ebbeec58c25db6be8774f18d68c2f15d0e369d95baba"),
)

FLICKR8K = (
    RemoteFile(
        key="captions",
        name="Flickr8k_text.zip",
        target="Flickr8k_text",
        addresses=tuple(f"{place}/Flickr8k_text.zip" for place in _FLICKR8K),
        unpack="members",
        members=(
            "Flickr8k.token.txt",
            "Flickr_8k.trainImages.txt",
            "Flickr_8k.devImages.txt",
            "Flickr_8k.testImages.txt",
        ),
    ),
    RemoteFile(
        key="images",
        name="Flickr8k_Dataset.zip",
        target="Flicker8k_Dataset",
        addresses=tuple(f"{place}/Flickr8k_Dataset.zip" for place in _FLICKR8K),
        unpack="images",
    ),
)


def _entities(name: str, size: int, sha256: str) -> RemoteFile:
    return RemoteFile(
        key="splits", name=name, target=name, addresses=(f"{_ENTITIES}/{name}",), size=size, sha256=sha256
    )


FLICKR30K = (
    _entities("UNRELATED_CAPTIONS", 303, "160c7f08433af2a24f762e936c54b276b082f88a8e8aa3a1621ef30a3758d39d"),
    _entities("test.txt", 10_733, "58c576ebf3af64f346cc3e2ede7eb66523ab172b45c8b42414daa9f2914047e1"),
    _entities("val.txt", 10_758, "764e1d2b2bae38bde75f8edda435a7ad20d404e83b77233934844f6a7dbccd9a"),
    _entities("train.txt", 320_344, "7fac836ec29afdbda7396fe5473c4156908d60d248cae75892f5a94f08016516"),
    _karpathy("flickr30k"),
    RemoteFile(
        key="captions",
        name="flickr30k.tar.gz",
        target=".",
        addresses=("http://shannon.cs.illinois.edu/DenotationGraph/data/flickr30k.tar.gz",),
        unpack="members",
        members=("results_20130124.token",),
    ),
)

IAPR_TC12 = (
    RemoteFile(
        key="splits",
        name="iaprtc12.20091111.tar.bz2",
        target=".",
        addresses=("https://lear.inrialpes.fr/people/guillaumin/data/iccv09/iaprtc12.20091111.tar.bz2",),
        unpack="members",
        members=("iaprtc12_train_list.txt", "iaprtc12_test_list.txt"),
    ),
    RemoteFile(
        key="images",
        name="iaprtc12.tgz",
        target="iaprtc12",
        addresses=("http://www-i6.informatik.rwth-aachen.de/imageclef/resources/iaprtc12.tgz",),
        unpack="tree",
    ),
)

KARPATHY = (_karpathy("coco", "flickr8k", "flickr30k"),)
