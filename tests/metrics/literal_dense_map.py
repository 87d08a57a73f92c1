"""Dense captioning mAP written down as loops over numbers, the way the originals are; slow, and only for comparison."""

import math

import numpy as np

OVERLAPS = (0.3, 0.4, 0.5, 0.6, 0.7)
SCORES = (-1, 0, 0.05, 0.1, 0.15, 0.2, 0.25)


def overlap(box, other, pixel):
    left, top = max(box[0], other[0]), max(box[1], other[1])
    right, bottom = min(box[2], other[2]), min(box[3], other[3])
    width, height = right - left + pixel, bottom - top + pixel
    if width <= 0 or height <= 0:
        return 0.0
    area = (box[2] - box[0] + pixel) * (box[3] - box[1] + pixel)
    other_area = (other[2] - other[0] + pixel) * (other[3] - other[1] + pixel)
    return width * height / (area + other_area - width * height)


def merge(boxes, texts, pixel):
    close = [[overlap(a, b, pixel) >= 0.7 for b in boxes] for a in boxes]
    merged = []
    while True:
        counts = [sum(row[j] for row in close) for j in range(len(boxes))]
        if not counts or max(counts) == 0:
            return merged
        top = counts.index(max(counts))
        group = [j for j in range(len(boxes)) if close[top][j]]
        box = [sum(boxes[j][k] for j in group) / len(group) for k in range(4)]
        merged.append((box, [texts[j] for j in group]))
        for j in group:
            for k in range(len(boxes)):
                close[j][k] = close[k][j] = False


def records_of_image(boxes, scores, captions, truth_boxes, truth_texts, convention):
    """Per detection, best first: (score, overlap, {overlap threshold: claims}, caption, references); and the truths."""
    pixel = 1 if convention == "densecap2016" else 0
    truths = merge(truth_boxes, truth_texts, pixel)
    used = {threshold: [False] * len(truths) for threshold in (0, *OVERLAPS)}
    records = []
    for index in sorted(range(len(boxes)), key=lambda k: -scores[k]):
        best, target = 0.0, -1
        for j, (truth, _) in enumerate(truths):
            value = overlap(boxes[index], truth, pixel)
            if value > best:
                best, target = value, j
        ok = dict.fromkeys(OVERLAPS, False)
        if convention == "standard":
            for threshold in OVERLAPS:
                if target >= 0 and best >= threshold and not used[threshold][target]:
                    used[threshold][target] = ok[threshold] = True
        elif truths and (target >= 0 or convention == "densecap2016") and not used[0][target]:
            used[0][target] = True  # with target -1 this is the last truth
            ok = dict.fromkeys(OVERLAPS, True)
        references = truths[target][1] if target >= 0 else []
        records.append((scores[index], best, ok, captions[index], references))
    return records, len(truths)


def recall_levels(convention):
    if convention == "densecap2016":
        levels, level = [], 0.0
        while level <= 1.0:
            levels.append(level)
            level += 0.01
        return levels
    return [k / 100 for k in range(100 if convention == "densecap_pytorch" else 101)]


def average_precision(hits, positives, levels):
    if positives == 0:
        return math.nan
    found, total = 0, 0.0
    points = []
    for rank, hit in enumerate(hits, start=1):
        found += hit
        points.append((found / positives, found / rank))
    for level in levels:
        total += max([precision for recall, precision in points if recall >= level], default=0.0)
    return total / len(levels)


def dense_map(images, convention, meteor):
    """{(overlap, score or -1): average precision} of (boxes, scores, captions, truth boxes, truth texts) per image."""
    records, positives = [], 0
    for image in images:
        own, count = records_of_image(*image, convention)
        records += own
        positives += count
    records.sort(key=lambda record: -record[0])
    judged = [(r[1], r[2], meteor(r[3], r[4]) if r[4] else 0.0) for r in records]
    result = {}
    for threshold in OVERLAPS:
        for floor in SCORES:
            hits = [value >= threshold and ok[threshold] and score > floor for value, ok, score in judged]
            result[threshold, floor] = average_precision(hits, positives, recall_levels(convention))
    return result


def rounded(value):
    """Half away from zero, as Python 2 rounds."""
    return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)


def truth_2016(box, width, height):
    """Step 8 of the preprocessing, then centre and size to inclusive corners."""
    scale = 720 / max(width, height)
    x, y = rounded(scale * (box[0] - 1) + 1), rounded(scale * (box[1] - 1) + 1)
    w, h = rounded(scale * (box[2] - box[0])), rounded(scale * (box[3] - box[1]))
    x, y = min(max(x, 1), 719), min(max(y, 1), 719)
    w, h = w if x + w <= 720 else 720 - x, h if y + h <= 720 else 720 - y
    x, y = x + math.floor(w / 2), y + math.floor(h / 2)
    return [x - (w - 1) / 2, y - (h - 1) / 2, x + (w - 1) / 2, y + (h - 1) / 2]


def prediction_2016(box, width, height):
    """Pixels of the resized image, whose sides are truncated; counted from 1, corners inclusive, single precision."""
    scale = 720 / max(width, height)
    across, down = int(width * scale + 1e-9) / width, int(height * scale + 1e-9) / height
    corners = [box[0] * across + 1, box[1] * down + 1, box[2] * across, box[3] * down]
    return [float(np.float32(value)) for value in corners]


def image_2016(boxes, scores, captions, truth_boxes, truth_texts, width, height, words):
    """An image in original pixels as the code of 2016 sees it; phrases in lower case, ``words`` of the vocabulary."""
    texts = truth_texts
    if words:
        texts = [" ".join(word if word in words else "<UNK>" for word in text.split()) for text in truth_texts]
    boxes = [prediction_2016(box, width, height) for box in boxes]
    return boxes, scores, captions, [truth_2016(box, width, height) for box in truth_boxes], texts
