"""An evaluation of generated scenes whose predictions are their truths, spoilt at random."""

import random

import numpy as np

from densecap.data.shapes.grammar import phrases
from densecap.data.shapes.painting import paint
from densecap.data.shapes.sampling import scene_of
from densecap.data.shapes.scene import COLOURS, KINDS
from densecap.evaluation.result import Evaluation
from densecap.metrics.dense_map.evaluation import dense_score, judge_images
from densecap.metrics.dense_map.records import DenseRecord

FIRST = 2_000_001


def shared_words(items):
    """Stands for METEOR: the best F1 of the sets of words, cubed to be as strict."""
    return [max(_shared(candidate, reference) for reference in references) for candidate, references in items]


def _shared(candidate, reference):
    own, other = set(candidate.split()), set(reference.split())
    return (2 * len(own & other) / max(len(own) + len(other), 1)) ** 3


def evaluation(count=12, seed=0, scorer=shared_words, pictures=True, hidden=()):
    """``count`` scenes; ``hidden``: parts of all records left empty, of "predictions" and "truth"."""
    dice = random.Random(seed)
    records = [_record(FIRST + place, dice, hidden) for place in range(count)]
    return scored(records, scorer, (lambda image_id: paint(scene_of(int(image_id)))) if pictures else None)


def scored(records, scorer=shared_words, load_image=None):
    """The evaluation of any records, under all conventions."""
    judged = judge_images(records, scorer)
    scores = {name: dense_score(images, name) for name, images in judged.items()}
    report = _report(records, scores)
    pictures = {} if load_image is None else {"load_image": load_image}
    return Evaluation(report, records, judged, scores, **pictures)


def _report(records, scores):
    """What report.json would hold, without what the page does not need."""
    counts = ("references", "num_images", "num_detections", "num_truths")
    dense = {
        name: {key: getattr(score, key) for key in counts} | {"figures": score.figures()}
        for name, score in scores.items()
    }
    regions, boxes = (sum(len(getattr(record, key)) for record in records) for key in ("truth_boxes", "boxes"))
    missing = {"count": 0, "first": []}
    return {
        "version": 1,
        "data": {"name": "shapes", "split": "test", "file": "shapes.h5", "images": len(records), "regions": regions},
        "predictions": {"predicted": {"file": "predictions.json", "format": "densecap", "model": None}},
        "coverage": {"predicted": {"missing": missing, "outside": missing}},
        "protocols": {"predicted": {"boxes_kept": boxes, "dense_map": dense}},
        "model": None,
        "settings": {"metrics": ["dense_map"], "conventions": list(scores)},
        "skipped": {},
        "warnings": [],
    }


def _record(image_id, dice, hidden=()):
    scene = scene_of(image_id)
    truth = [(shape.box, phrase) for row, shape in enumerate(scene.shapes) for phrase in phrases(scene, row)]
    skill = dice.random()
    found = [_spoilt(box, phrase, dice, skill, scene) for box, phrase in truth if dice.random() < 0.35 + 0.5 * skill]
    found += [_somewhere(scene, dice) for _ in range(dice.randint(0, 4))]
    found = [] if "predictions" in hidden else found
    truth = [] if "truth" in hidden else truth
    return DenseRecord(
        str(image_id),
        scene.width,
        scene.height,
        np.array([box for box, _, _ in found]).reshape(-1, 4),
        [score for *_, score in found],
        [words for _, words, _ in found],
        np.array([box for box, _ in truth], float).reshape(-1, 4),
        [words for _, words in truth],
    )


def _spoilt(box, phrase, dice, skill, scene):
    spread = (1 - skill) * 0.35 * max(box[2] - box[0], box[3] - box[1])
    left, top, right, bottom = (edge + dice.gauss(0, spread) for edge in box)
    left, right = sorted((min(max(left, 0), scene.width), min(max(right, 0), scene.width)))
    top, bottom = sorted((min(max(top, 0), scene.height), min(max(bottom, 0), scene.height)))
    words = [_spoilt_word(word, dice, skill) for word in phrase.split()]
    return (left, top, right, bottom), " ".join(words), min(max(dice.gauss(0.6, 0.2), 0.01), 0.99)


def _spoilt_word(word, dice, skill):
    for known in (list(COLOURS), list(KINDS)):
        if word in known and dice.random() > skill:
            return dice.choice(known[:3])
    return word


def _somewhere(scene, dice):
    x, y = dice.uniform(0, scene.width - 40), dice.uniform(0, scene.height - 40)
    words = f"a {dice.choice(list(COLOURS)[:2])} {dice.choice(KINDS[:2])}"
    return (x, y, x + dice.uniform(10, 40), y + dice.uniform(10, 40)), words, dice.uniform(0.05, 0.6)
