"""Which list of splits counts for COCO: the user's, Karpathy's or m-RNN's own."""

from __future__ import annotations

from pathlib import Path

from densecap.data.coco_images import coco_id
from densecap.data.split_lists import SplitList, files_of_splits, first_words, read_split_list
from densecap.errors import UserError

#: Where a list is looked for, below the root and its folders annotations, splits and karpathy.
NAMES = {
    "karpathy": ("dataset_coco.json", "coco_karpathy_split_ids_derived.json"),
    "mrnn": ("MRNN_split_dict.npy", "mrnn_coco_split_ids.json"),
}
CHOICES = (*NAMES, "official")


def coco_split_list(root: Path, choice: str, splits: str | Path | None) -> SplitList | None:
    """The list ``splits``, else the chosen one; None for the official split, which has none.

    UserError when it is not there.
    """
    if choice not in CHOICES:
        raise UserError(f"data.split_list is one of {', '.join(CHOICES)}, got {choice}")
    if splits is not None:
        given = Path(splits).expanduser()
        return karpathys_pair(given) or read_split_list(given, coco_id)
    if choice == "official":
        return None
    folders = (root, *(root / name for name in ("annotations", "splits", "karpathy")))
    for path in (folder / name for folder in folders for name in NAMES[choice]):
        if path.is_file():
            return read_split_list(path, coco_id)
    pairs = (karpathys_pair(folder) for folder in folders if choice == "karpathy")
    found = next((pair for pair in pairs if pair is not None), None)
    if found is None:
        raise UserError(
            f"{root} holds no list of the {choice} split ({' or '.join(NAMES[choice])}): fetch it with `python -m "
            "densecap download data=coco only=[splits]`, choose data.split_list=official, or give your own with "
            "data.splits=FILE"
        )
    return found


def karpathys_pair(folder: Path) -> SplitList | None:
    """Karpathy's split where a folder has karpathy_val_images.txt and karpathy_test_images.txt, and no training list.

    What they do not name is for training, his "restval" included: 113,287 photos.
    """
    files = files_of_splits(folder) if folder.is_dir() else {}
    if set(files) != {"val", "test"} or not all("karpathy" in path.name for path in files.values()):
        return None
    splits = {coco_id(word): split for split, path in files.items() for word in first_words(path)}
    return SplitList("Karpathy's lists for val and test", splits, tuple(files.values()), rest="train")
