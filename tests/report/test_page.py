"""The page about an evaluation, read back as a browser's parser would."""

import io
import json
import math
import re
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from densecap.evaluation.result import Evaluation
from densecap.metrics.dense_map.records import DenseRecord
from densecap.report.choice import best_and_worst
from densecap.report.markup import element
from densecap.report.page import page, write_page
from densecap.report.whole_images import caption_scores
from tests.fakes.evaluation import evaluation, scored

VOID = {"meta", "input", "br", "wbr", "rect", "line", "path", "image"}


class Reader(HTMLParser):
    """Checks that elements nest, and keeps attributes, ids, text and the values of figures."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.values = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "data":
            self.values.append(float(dict(attrs)["value"]))

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    def named(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def found():
    return evaluation(16)


@pytest.fixture(scope="module")
def text(found):
    return page(found)


def test_all_figures_of_the_report_stand_on_the_page(found, text):
    shown = set(Reader(text).values)
    for convention in found.report["protocols"]["predicted"]["dense_map"].values():
        assert set(convention["figures"].values()) <= shown
        assert {convention["num_truths"], convention["num_detections"]} <= shown


def test_other_measures_stand_on_the_page(found):
    report = json.loads(json.dumps(found.report))
    report["protocols"]["truth"] = {"boxes_kept": 3, "captions": {"captions": 60, "BLEU-4": 0.31251, "ROUGE-L": None}}
    report["model"] = {"proposal_recall": {"recall@100_iou0.5": 0.71253}, "perplexity": 3.2125}
    report["model"]["retrieval"] = {"seconds": 8.25, "image_from_sentence": {"R@1": 0.09375}}
    text = page(Evaluation(report, found.records, found.judged, found.scores))
    assert {0.31251, 0.71253, 3.2125, 8.25, 0.09375} <= set(Reader(text).values)
    assert "retrieval: image from sentence" in text
    assert "not defined" in text


def test_what_was_evaluated_stands_in_the_head(found):
    report = json.loads(json.dumps(found.report))
    report["warnings"] = ["boxes seem to be <in> other coordinates"]
    report["skipped"] = {"perplexity": "needs a model"}
    report["predictions"]["predicted"]["model"] = {"name": "DenseCaptioner", "checkpoint": "last.ckpt"}
    words = "\n".join(Reader(page(Evaluation(report, found.records))).texts)
    for expected in (
        "shapes · test",
        "predicted boxes",
        "as annotated",
        "densecap2016, densecap_pytorch, standard",
        "predictions.json",
        "DenseCaptioner, last.ckpt",
        "boxes seem to be <in> other coordinates",
        "perplexity: needs a model",
    ):
        assert expected in words


def test_references_that_differ_by_convention_are_told_apart(found):
    report = json.loads(json.dumps(found.report))
    report["protocols"]["predicted"]["dense_map"]["densecap2016"]["references"] = "mapped to the vocabulary"
    words = Reader(page(Evaluation(report, []))).texts
    assert "mapped to the vocabulary (densecap2016); as annotated (densecap_pytorch, standard)" in words


def test_nothing_is_fetched(text):
    assert re.findall(r"https?:", text) == []
    assert not re.search(r"@import|url\(", text)
    reader = Reader(text)
    assert not reader.named("link") and not reader.named("iframe") and not reader.named("img")
    assert all("src" not in attrs for _, attrs in reader.tags)
    assert all(attrs["href"].startswith("data:image/jpeg;base64,") for attrs in reader.named("image"))


def test_pictures_are_those_of_the_images(found, text):
    pictures = [Image.open(io.BytesIO(b64decode(attrs["href"].split(",")[1]))) for attrs in Reader(text).named("image")]
    assert len(pictures) == 12
    sizes = {(record.width, record.height) for record in found.records}
    assert all(picture.size in sizes and picture.mode == "RGB" for picture in pictures)


def test_large_pictures_are_scaled_down_and_boxes_stay_in_original_pixels():
    record = DenseRecord("1", 4000, 2000, [[100, 200, 3000, 1500]], [0.5], ["dog"], [[100, 200, 3000, 1500]], ["dog"])
    text = page(scored([record], load_image=lambda image_id: Image.new("L", (1000, 500))))
    reader = Reader(text)
    picture = Image.open(io.BytesIO(b64decode(reader.named("image")[0]["href"].split(",")[1])))
    assert picture.size == (480, 240)
    assert {"x": "100", "y": "200", "width": "2900", "height": "1300"}.items() <= reader.named("rect")[-2].items()
    assert 'viewbox="0 0 4000 2000"' in text.lower()


def test_captions_cannot_become_markup():
    evil = "<script>alert(1)</script>\"'&<img src=x>\udc80\x00"
    record = DenseRecord("<b>7", 50, 50, [[1, 1, 9, 9]], [0.5], [evil], [[1, 1, 9, 9]], [evil])
    reader = Reader(page(scored([record], lambda items: [1.0] * len(items))))
    assert len(reader.named("script")) == 1 and not reader.named("img") and not reader.named("b")[0]
    assert sum("<script>alert(1)</script>" in text for text in reader.texts) >= 4


def test_characters_that_are_not_unicode_are_written(tmp_path):
    record = DenseRecord("1", 50, 50, [[1, 1, 9, 9]], [0.5], ["half \udc80 a pair"], [[1, 1, 9, 9]], ["猫 🐈"])
    write_page(tmp_path / "report.html", scored([record]))
    assert "猫 🐈" in (tmp_path / "report.html").read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("hidden", [(), ("predictions",), ("truth",), ("predictions", "truth")])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_nothing_at_all(count, hidden):
    found = evaluation(count, hidden=hidden, pictures=False)
    reader = Reader(page(found))
    defined = count and "truth" not in hidden
    assert ("not defined" in reader.texts) != bool(defined) or "predictions" in hidden
    assert all(map(math.isfinite, reader.values))
    shown = [attrs for attrs in reader.named("article") if attrs["class"] == "shot"]
    assert len(shown) == (count if defined else 0)


def test_whole_images_have_figures_and_captions_but_no_curves():
    whole = [[0, 0, 40, 30]]
    records = [DenseRecord(str(n), 40, 30, whole, [1.0], ["a cat"], whole * 2, ["a dog", "a cat"]) for n in range(3)]
    report = {"data": {"name": "coco", "split": "val"}, "protocols": {"images": {"captions": {"BLEU-4": 0.25}}}}
    reader = Reader(page(Evaluation(report, records)))
    assert 0.25 in reader.values and not [attrs for attrs in reader.named("path")]
    assert len([attrs for attrs in reader.named("article")]) == 3
    assert reader.named("g") == []  # frames around whole pictures say nothing
    assert "a cat" in reader.texts and "captions of whole images" in reader.texts


def test_best_and_worst_whole_images_are_those_that_agree_most_and_least_with_people():
    whole, said = (
        [[0, 0, 40, 30]],
        ["a dog runs on grass", "two men sit by water", "a red car in snow", ""],
    )
    told = ["a dog runs on grass", "two men stand there", "green boats at sea", "one bird flies"]
    records = [DenseRecord(f"image-{row}", 40, 30, whole, [1.0], [told[row]], whole, [said[row]]) for row in range(4)]
    scores = caption_scores(records)
    assert scores[0] == pytest.approx(10) and 0 < scores[1] < 10 and scores[2] == 0 and math.isnan(scores[3])
    silent = DenseRecord("silent", 40, 30, [], [], [], whole, ["a a a a"])
    assert caption_scores([*records, silent])[-1] == 0
    report = {"data": {"name": "coco", "split": "val"}, "protocols": {"images": {"captions": {}}}}
    reader = Reader(page(Evaluation(report, records), num_images=1))
    assert [text for text in reader.texts if text.startswith("image-")] == ["image-0", "image-2"]
    assert not any(text.startswith("score") for text in reader.texts)  # each is 1


def test_ids_are_unique_and_labels_have_their_inputs(text):
    reader = Reader(text)
    ids = [attrs["id"] for _, attrs in reader.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["for"] for attrs in reader.named("label")} <= set(ids)
    groups = {}
    for attrs in reader.named("input"):
        groups.setdefault(attrs["name"], []).append("checked" in attrs)
    assert all(sum(checked) == 1 for checked in groups.values())


def test_every_line_has_its_box(text):
    reader = Reader(text)
    for name in ("li", "g"):
        keys = [attrs["data-box"] for attrs in reader.named(name) if "data-box" in attrs]
        assert len(keys) > 50
    listed = sorted(attrs["data-box"] for attrs in reader.named("li") if "data-box" in attrs)
    assert listed == sorted(attrs["data-box"] for attrs in reader.named("g") if "data-box" in attrs)


def test_one_convention_needs_no_switch(found):
    one = {"densecap2016": found.scores["densecap2016"]}
    text = page(Evaluation(found.report, found.records, {"densecap2016": found.judged["densecap2016"]}, one))
    assert not [attrs for attrs in Reader(text).named("input") if attrs["name"] == "convention"]
    assert "Under the convention densecap2016." in text


def test_size_with_photographs(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (500, 700, 3), np.uint8)
    found = evaluation(20, pictures=False)
    found.load_image = lambda image_id: Image.fromarray(noise)  # nothing compresses worse
    write_page(tmp_path / "report.html", found)
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


def test_best_and_worst():
    scores = [0.5, math.nan, 1.0, 0.0, 0.0, 1.0, 0.2]
    assert best_and_worst(scores, [1, 9, 2, 1, 5, 3, 1], 2) == ([5, 2], [4, 3])
    assert best_and_worst([0.1, 0.9, 0.5], [1, 1, 1], 6) == ([1, 2], [0])
    assert best_and_worst([math.nan], [0], 6) == ([], [])


def test_elements_escape_what_is_not_markup():
    inner = element("b", "a < b & c")
    assert element("p", inner, '"', [1, None, "x"], class_='one" two', hidden=True, title=None) == (
        '<p class="one&quot; two" hidden><b>a &lt; b &amp; c</b>&quot;1x</p>'
    )
