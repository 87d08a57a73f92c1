"""results.json of jcjohnson/densecap (run_model.lua): {"results": [...], "opt": {...}}.

Its boxes are (x, y, width, height), counted from 1, in pixels of the image resized to a longest side of
``opt.image_size``; its scores are logits.
"""

from __future__ import annotations

from densecap.errors import UserError
from densecap.evaluation.boxes import BoxForm
from densecap.evaluation.document import Document
from densecap.evaluation.entries import Entry, checked_box, is_number, shown
from densecap.evaluation.predictions import PredictedImage, Predictions, image_of_rows

#: What run_model.lua resizes to unless told otherwise.
IMAGE_SIZE = 720


def matches(document: Document) -> bool:
    return document.kind == "json" and isinstance(document.value, dict) and "results" in document.value


def read(document: Document) -> Predictions:
    whole = Entry(document.value, str(document.path))
    options = Entry(whole.value.get("opt") or {}, f"{document.path}: opt")
    size = options.number("image_size") if "image_size" in options.value else IMAGE_SIZE
    if size < 1 or size != int(size):
        raise UserError(f"{options.where}.image_size should be a whole number of pixels, it is {size:g}")
    images = [_image(Entry(item, f"{document.path}: results[{i}]")) for i, item in enumerate(whole.items("results"))]
    form = BoxForm("xywh", int(size), origin=1)
    model = {"checkpoint": options.value["checkpoint"]} if "checkpoint" in options.value else None
    return Predictions(document.path, "DenseCap results.json", form, images, model=model)


def _image(entry: Entry) -> PredictedImage:
    boxes, scores, captions = (entry.items(key) for key in ("boxes", "scores", "captions"))
    if not len(boxes) == len(scores) == len(captions):
        counts = f"{len(boxes)} boxes, {len(scores)} scores and {len(captions)} captions"
        raise UserError(f"{entry.where} has {counts}; there should be as many of each")
    rows = []
    for index, (box, score, caption) in enumerate(zip(boxes, scores, captions)):
        if not is_number(score):
            raise UserError(f"{entry.where}.scores[{index}] should be a finite number, it is {shown(score)}")
        if not isinstance(caption, str):
            raise UserError(f"{entry.where}.captions[{index}] should be text, it is {shown(caption)}")
        rows.append((checked_box(box, f"{entry.where}.boxes[{index}]"), float(score), caption))
    return image_of_rows(entry.where, None, entry.name("img_name"), rows)
