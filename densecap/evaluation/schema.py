"""``report.json``, field by field (version 1). Shares and scores are fractions of 1; null is "cannot be said".

version               int     raised whenever a field goes or changes its meaning; new fields do not raise it
data                  object  what was evaluated on
  .name, .split, .file  str   data set, train/val/test, the prepared file
  .images, .regions   int     of the split, as far as evaluated (max_images)
  .split_images       int     of the whole split
  .sources            object  annotation files the prepared file was made of, to their SHA-256
predictions           object  per protocol ("predicted", "truth") the file that was scored
  .file, .sha256, .format str
  .boxes              str     how the file writes its boxes
  .images, .captions  int     entries of the file, and captions in them
  .model              object  what the file says of its model; null if nothing
  .has_vocabulary     bool
coverage              object  per protocol
  .missing            object  images of the split without an entry: count, first (str[]); they count as having none
  .outside            object  entries about other images: count, first (str[]); they are left out
coordinates           object  per protocol: form, boxes, outside, fit, suspicion, notes; see evaluation.coordinates
protocols             object  "predicted" (boxes and captions predicted), "truth" (captions for true boxes), "images"
                              (captions of whole images)
  .boxes_kept         int     boxes that dense mAP ranks: all predicted ones; of true boxes that it merges, one
  .dense_map          object  per convention: references ("as annotated" or "mapped to the vocabulary"), num_images,
                              num_detections, num_truths (after merging), figures: dense_mAP, detection_mAP,
                              AP_iou0.3 ... (detection), AP_iou0.3_meteor0.05 ...; without METEOR detection alone
  .language_meteor    object  METEOR, and the number of captions it is the mean of
  .captions           object  captions, references (int), BLEU-1 ... BLEU-4, CIDEr-D, ROUGE-L, METEOR, distinct (share
                              of different captions); on true boxes a caption's references are the phrases of all true
                              boxes merged with its own
model                 object  with a model: proposal_recall (recall@100_iou0.5 ...), perplexity,
                              images_per_second; null without
  .retrieval          object  sentence_from_image and image_from_sentence: R@1, R@5, R@10, median_rank, queries,
                              candidates; correction and num_marginal (training images) of the former; seconds
settings              object  metrics, conventions, protocol, language_captions (best captions an image that
                              language_meteor looks at, null for all)
skipped               object  metric to the sentence why it is missing
warnings              str[]   what a reader of the figures should know
versions              object  densecap, python and the packages that matter
seconds               float   of scoring, without the model
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
from pathlib import Path
from typing import Any

REPORT_VERSION = 1
PACKAGES = ("densecap", "numpy", "torch", "h5py", "pycocoevalcap", "snowballstemmer")


def plain(value: Any) -> Any:
    """The value with numbers that are not finite as None, which JSON can hold."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def versions() -> dict[str, str | None]:
    """Versions of what decides about figures; None for a package that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write report.json under a temporary name and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    text = json.dumps(plain(report), indent=2, ensure_ascii=False, allow_nan=False)
    temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    temporary.replace(path)
