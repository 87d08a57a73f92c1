"""Files that are wrong: one sentence with file and entry, or a result that is defined."""

import json
from pathlib import Path

import pytest

from densecap.data.hdf5 import RegionFile
from densecap.errors import UserError
from densecap.evaluation.figures import Choice
from densecap.evaluation.formats.table import read_predictions
from densecap.evaluation.parts import join_part
from densecap.evaluation.scoring import Inputs, evaluate
from densecap.evaluation.truth import Truth
from tests.fakes import split as fakes

REGION = {"box": [1, 1, 9, 9], "score": 0.5, "caption": "a car", "log_prob": -1}


def own(*regions, **head) -> str:
    return json.dumps({"version": 1, "images": [{"image_id": "7", "file": "a.jpg", "regions": list(regions), **head}]})


def densecap(**fields) -> str:
    image = {"img_name": "7.jpg", "boxes": [[1, 1, 5, 5]], "scores": [1.0], "captions": ["a"]}
    return json.dumps({"results": [{**image, **fields}], "opt": {}})


def coco(**fields) -> str:
    return json.dumps([{"image_id": 7, "bbox": [1, 1, 5, 5], "score": 1.0, "caption": "a", **fields}])


REFUSED = {
    "empty": ("", "is empty"),
    "blank": (" \n", "is empty"),
    "truncated": (own(REGION)[:70], "cut off: its JSON ends in the middle, at line 1, column"),
    "truncated in a text": (own(REGION)[:-30], "cut off|not valid JSON"),
    "malformed": ('{"images": [,]}', "not valid JSON at line 1, column 13: expecting value"),
    "deep": ("[" * 200_000, "nested too deeply"),
    "other text": ("hello", "neither JSON nor a table"),
    "other table": ("a,b\n1,2\n", "neither JSON nor a table"),
    "other object": ('{"a": 1}', "in no known format of predictions; those are predictions.json, "),
    "number": ("[1, 2]", "in no known format"),
    "empty list": ("[]", "holds no predictions"),
    "later version": ('{"version": 9, "images": []}', "has predictions version 9, this program reads version 1"),
    "images no list": ('{"version": 1, "images": 3}', r"images should be a list, it is 3"),
    "image no object": ('{"version": 1, "images": [3]}', r"images\[0\] should be an object with named fields, it is 3"),
    "no regions": (
        '{"version": 1, "images": [{"image_id": "7"}]}',
        r"images\[0\] has no field 'regions'; it has image_id",
    ),
    "no caption": (own({"box": [1, 1, 2, 2], "score": 1}), r"images\[0\].regions\[0\] has no field 'caption'"),
    "nan score": (
        own(REGION, {**REGION, "score": float("nan")}),
        r"images\[0\].regions\[1\].score .* finite number, it is nan",
    ),
    "infinite box": (
        own({**REGION, "box": [1, 1, float("inf"), 2]}),
        r"regions\[0\].box should be a box of four finite",
    ),
    "huge number": (own(REGION).replace("0.5", "1" * 400), r"regions\[0\].score should be a finite number"),
    "three numbers": (own({**REGION, "box": [1, 2, 3]}), r"regions\[0\].box should be a box of four finite numbers"),
    "score as text": (own({**REGION, "score": "high"}), r"score should be a finite number, it is 'high'"),
    "score true": (own({**REGION, "score": True}), r"score should be a finite number, it is True"),
    "caption as number": (own({**REGION, "caption": 7}), r"caption should be text, it is 7"),
    "caption null": (own({**REGION, "caption": None}), r"caption should be text, it is None"),
    "id as list": (own(REGION, image_id=[1]), r"image_id should be text or a whole number"),
    "size of zero": (own(REGION, width=0, height=3), r"images\[0\] has a size of 0 x 3"),
    "cut line": ('{"image_id": "7", "regions": []}\n{"image_id": "8", "reg', "cut off: .*at line 2"),
    "line without regions": ('{"image_id": "7", "regions": []}\n{"image_id": "8"}\n', "entry 2 has no field 'regions'"),
    "cell": ("image_id,x1,y1,x2,y2,score,caption\n7,1,1,2,2,nan,a\n", "line 2: score should be a finite number"),
    "short row": ("image_id,x1,y1,x2,y2,score,caption\n7,1,1,2\n", "line 2: y2 should be a finite number, it is None"),
    "counts": (densecap(scores=[]), r"results\[0\] has 1 boxes, 0 scores and 1 captions"),
    "logit": (densecap(scores=[float("nan")]), r"results\[0\].scores\[0\] should be a finite number, it is nan"),
    "no name": (json.dumps({"results": [{"boxes": [], "scores": [], "captions": []}]}), r"no field 'img_name'"),
    "coco box": (coco(bbox=None), r"entry \[0\].bbox should be a box of four finite numbers, it is None"),
    "coco score": (coco(score=None), r"entry \[0\].score should be a finite number, it is None"),
    "coco caption": ('[{"image_id": 7, "caption": "a"}, {"image_id": 8}]', r"entry \[1\] has no field 'caption'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_one_sentence_with_file_and_entry(tmp_path: Path, name: str) -> None:
    text, words = REFUSED[name]
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(UserError, match=words) as caught:
        read_predictions(path)
    assert "bad.json" in str(caught.value) and "\n" not in str(caught.value)


def test_other_files(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for name, words in (
        ("bytes", "not UTF-8 text"),
        ("missing", "there is no predictions file"),
        (".", "cannot be read"),
    ):
        with pytest.raises(UserError, match=words):
            read_predictions(tmp_path / name)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return Truth(RegionFile(fakes.write_split(tmp_path_factory.mktemp("split") / "fake.h5")), "test")


def test_a_box_of_negative_size(truth: Truth, tmp_path: Path) -> None:
    images = fakes.predictions_of(truth)
    images[2]["regions"][1]["box"] = [50, 10, 40, 20]
    path = fakes.write_own(tmp_path / "file", images)
    with pytest.raises(
        UserError, match=r"a box has a negative side, first: .*file: images\[2\], box 1 is \[50.0, 10.0"
    ):
        join_part(read_predictions(path), truth)
    (tmp_path / "coco").write_text(coco(bbox=[5, 5, -1, 2]))
    with pytest.raises(UserError, match=r"coco: entry \[0\], box 0 .*width and height must not be negative"):
        join_part(read_predictions(tmp_path / "coco"), truth)


def test_two_entries_for_one_image(truth: Truth, tmp_path: Path) -> None:
    images = fakes.predictions_of(truth)
    path = fakes.write_own(tmp_path / "file", [*images, {**images[1], "image_id": "other"}])
    with pytest.raises(UserError, match=r"file: images\[1\] and images\[6\] are both about image 8"):
        join_part(read_predictions(path), truth)


def test_missing_and_unknown_images_are_counted_and_named(truth: Truth, tmp_path: Path) -> None:
    images = fakes.predictions_of(truth)
    train = {**images[0], "image_id": "2", "file": f"{2:012}.jpg"}
    unknown = {**images[0], "image_id": "999", "file": "999.jpg"}
    part = join_part(read_predictions(fakes.write_own(tmp_path / "f", [train, unknown, *images[2:]])), truth)
    assert part.coverage == {
        "missing": {"count": 2, "first": ["7", "8"]},
        "outside": {"count": 2, "first": ["000000000002.jpg", "999.jpg"]},
    }
    assert part.warnings == [
        "no predictions for 2 of 6 images of the split, counted as having none: 7, 8",
        "predictions of 2 images outside the split are left out: 000000000002.jpg (train), 999.jpg",
    ]
    assert [len(record.boxes) for record in part.records] == [0, 0, 5, 5, 5, 5]


def test_images_beyond_max_images_are_left_out_without_a_word(truth: Truth, tmp_path: Path) -> None:
    path = fakes.write_own(tmp_path / "file", fakes.predictions_of(truth))
    part = join_part(read_predictions(path), Truth(truth.region_file, "test", max_images=2))
    assert part.warnings == [] and len(part.records) == 2 and part.coverage["outside"]["count"] == 4


def test_predictions_of_another_split_are_refused(truth: Truth, tmp_path: Path) -> None:
    path = fakes.write_own(tmp_path / "file", fakes.predictions_of(Truth(truth.region_file, "train")))
    with pytest.raises(
        UserError, match="none of the images in .* among the 6 evaluated of split test of fake; they are of split train"
    ):
        join_part(read_predictions(path), truth)


def test_names_that_lead_to_an_image(truth: Truth, tmp_path: Path) -> None:
    first = fakes.predictions_of(truth)[0]
    heads = (
        {"image_id": "7"},
        {"image_id": "x", "file": "photos/000000000007.jpg"},
        {"image_id": "x", "file": "C:\\photos\\000000000007.png"},
        {"image_id": "0007"},
        {"image_id": "8", "file": "000000000007.jpg"},  # named after a file, whatever its number is
    )
    for head in heads:
        entry = {"regions": first["regions"], **head}
        part = join_part(read_predictions(fakes.write_own(tmp_path / "file", [entry])), truth)
        assert [len(record.boxes) for record in part.records] == [5, 0, 0, 0, 0, 0], head


def test_odd_captions_have_a_defined_result(truth: Truth, tmp_path: Path) -> None:
    """Empty ones score 0; ``|||`` is left out and lines are joined, so these are still right."""
    images = fakes.predictions_of(truth)
    regions = images[0]["regions"]
    regions[0]["caption"], regions[1]["caption"] = "", regions[1]["caption"].replace(" ", "\n", 1)
    regions[2]["caption"] = f"||| {regions[2]['caption']}"
    path = fakes.write_own(tmp_path / "file", images)
    found = evaluate(
        Inputs(truth, read_predictions(path), meteor_processes=1), Choice(("dense_map", "meteor", "cider"))
    )
    assert found.judged["standard"][0].meteor.tolist() == [0, 1, 1, 1, 1]
    assert [text.partition(", first in ")[0] for text in found.report["warnings"][:3]] == [
        "1 caption without words, scored 0",
        "1 caption of several lines, read as one",
        "1 caption with |||, which is left out",
    ]


@pytest.mark.parametrize("name", fakes.WRITERS)
def test_no_predictions_at_all_score_nothing(truth: Truth, tmp_path: Path, name: str) -> None:
    images = [{**image, "regions": []} for image in fakes.predictions_of(truth)]
    path = fakes.WRITERS[name](tmp_path / "file", images)
    if name == "COCO detections with captions":
        with pytest.raises(UserError, match="holds no predictions"):
            read_predictions(path)
        return
    found = evaluate(Inputs(truth, read_predictions(path), meteor_processes=1), Choice(("detection", "bleu"))).report
    assert found["protocols"]["predicted"]["dense_map"]["standard"]["figures"]["detection_mAP"] == 0
    assert list(found["protocols"]) == ["predicted"]


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"metrics": ("spice",)}, "metric holds spice: choose among dense_map"),
        ({"metrics": ()}, "metric holds nothing"),
        ({"conventions": ("coco",)}, "convention holds coco: choose among densecap2016"),
        ({"protocol": "gt"}, "protocol holds gt: choose among predicted, truth, both"),
        ({"language_captions": 0}, "language_captions is a whole number above 0"),
    ],
)
def test_choices_that_do_not_exist(wrong: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Choice(**wrong)


def test_splits_that_do_not_exist(truth: Truth) -> None:
    with pytest.raises(UserError, match="split is one of train, val, test, got all"):
        Truth(truth.region_file, "all")
    with pytest.raises(UserError, match="has no images in split val"):
        Truth(truth.region_file, "val")
    with pytest.raises(UserError, match="max_images is a whole number above 0"):
        Truth(truth.region_file, "test", max_images=0)
