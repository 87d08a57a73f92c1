"""Reports as eval writes them, with the parts that a comparison reads, and folders that hold them."""

import json
from pathlib import Path


def report(images=1000, captions=None, **more):
    """A report on flickr8k's test split; ``captions`` are the figures of captions of whole images."""
    data = {"name": "flickr8k", "split": "test", "images": images, "regions": 5 * images, "sources": {"a.txt": "1f"}}
    figures = {"captions": images, "references": 5 * images, **(captions or {})}
    protocols = {"images": {"captions": figures}} if captions else {}
    return {"version": 1, "data": data, "protocols": protocols, "model": None, **more}


def dense_report(references="mapped to the vocabulary", **figures):
    """A report of dense captioning: ``figures`` are (dense mAP, detection mAP) by convention."""
    dense = {
        name: {"references": references, "figures": {"dense_mAP": values[0], "detection_mAP": values[1]}}
        for name, values in figures.items()
    }
    return report(protocols={"predicted": {"boxes_kept": 9, "dense_map": dense}})


def write(folder, content, name="report.json"):
    """The report as a file in the folder, which is made."""
    path = Path(folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
