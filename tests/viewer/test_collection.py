"""Files of predictions, the truth and photos, put together by image."""

import json
from pathlib import Path

import pytest
from PIL import Image

from densecap.data.hdf5 import RegionFile
from densecap.errors import UserError
from densecap.evaluation.truth import Truth
from densecap.viewer.collection import collect
from densecap.viewer.finding import find_predictions, shortest_distinct, titles
from densecap.viewer.matching import match
from densecap.viewer.photos import PhotoOnDisk, StoredPhoto
from densecap.viewer.reading import read_entries
from densecap.viewer.truths import PreparedTruths, TruthsOfFile, is_prepared
from tests.fakes import split as fakes


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    return fakes.write_split(tmp_path / "fake.h5")


@pytest.fixture
def truth(prepared: Path) -> Truth:
    return Truth(RegionFile(prepared), "test")


def _own(path: Path, *images: dict) -> Path:
    return fakes.write_own(path, list(images))


def _image(image_id="a", file="a.jpg", regions=(), width=40, height=30, **more) -> dict:
    return {"image_id": image_id, "file": file, "width": width, "height": height, "regions": list(regions), **more}


def _region(caption="a cat", box=(1, 2, 11, 12), score=0.5, **more) -> dict:
    return {"box": list(box), "score": score, "caption": caption, "log_prob": -1.0, **more}


@pytest.mark.parametrize("format_name", fakes.WRITERS)
def test_every_format_shows_the_same_boxes(format_name, tmp_path, truth) -> None:
    """Sizes that a format does not give come from the truth; logits become probabilities again."""
    images = fakes.predictions_of(truth)
    own = collect([fakes.write_own(tmp_path / "own.json", images)])
    path = tmp_path / "other" / ("predictions.csv" if "csv" in format_name else "predictions.json")
    path.parent.mkdir()
    fakes.WRITERS[format_name](path, images)
    other = collect([path], truths=PreparedTruths(truth))
    assert len(other.images) == len(own.images) == 6
    for ours, theirs in zip(own.images, other.images):
        assert (ours.width, ours.height) == (theirs.width, theirs.height)
        for one, two in zip(ours.regions[0], theirs.regions[0], strict=True):
            assert one.caption == two.caption and two.score == pytest.approx(one.score, abs=1e-3)
            assert two.box == pytest.approx(one.box, abs=0.11)
    scores = [region.score for region in own.images[0].regions[0]]
    assert scores == pytest.approx([region["score"] for region in images[0]["regions"]], abs=1e-4)


def test_the_truth_is_laid_over_and_knows_the_photos(tmp_path, truth) -> None:
    images = fakes.predictions_of(truth)[:4]
    collection = collect([fakes.write_own(tmp_path / "p.json", images)], truths=PreparedTruths(truth))
    assert collection.has_truth and len(collection.images) == 4
    for image, known in zip(collection.images, truth.images):
        assert [region.caption for region in image.truth] == known.captions
        assert all(region.score is None for region in image.truth)
        assert image.truth[2].box == pytest.approx(known.boxes[2].tolist(), abs=0.06)
        assert isinstance(image.photo, StoredPhoto) and image.photo.read()[:2] == b"\xff\xd8"


def test_the_originals_are_preferred_to_the_stored_photos(tmp_path, truth) -> None:
    images = fakes.predictions_of(truth)
    photo = tmp_path / images[0]["file"]
    photo.parent.mkdir()
    Image.new("RGB", (images[0]["width"], images[0]["height"])).save(photo)
    collection = collect([fakes.write_own(tmp_path / "p.json", images)], truths=PreparedTruths(truth))
    assert collection.images[0].photo == PhotoOnDisk(photo)
    assert isinstance(collection.images[1].photo, StoredPhoto)


def test_a_truth_about_other_images_is_refused(tmp_path, truth) -> None:
    path = _own(tmp_path / "p.json", _image("elsewhere", "elsewhere.jpg", [_region()]))
    with pytest.raises(UserError, match="none of the images in .*p.json is among the 6"):
        collect([path], truths=PreparedTruths(truth))
    other = _own(tmp_path / "t.json", _image())
    with pytest.raises(
        UserError, match=r"none of the images in .*p\.json is in .*t\.json: one has elsewhere.jpg, the other a"
    ):
        collect([path], truths=TruthsOfFile(other))


def test_a_file_of_predictions_may_be_the_truth(tmp_path) -> None:
    ours = _own(tmp_path / "p.json", _image(regions=[_region()]), _image("b", "b.jpg"))
    theirs = _own(tmp_path / "t.json", _image("1", "photos/a.jpg", [_region("a tabby", (2, 2, 12, 12))]))
    first, second = collect([ours], truths=TruthsOfFile(theirs)).images
    assert [(region.caption, region.box, region.score) for region in first.truth] == [("a tabby", (2, 2, 12, 12), None)]
    assert second.truth is None
    assert not is_prepared(theirs)


def test_two_files_are_joined_by_image(tmp_path) -> None:
    """By path, name, id or number; what only one has is shown too."""
    (tmp_path / "a").mkdir()
    images = [_image(name, f"old/{name}.jpg", [_region(name)]) for name in ("x", "y", "000000000139")]
    first = _own(tmp_path / "a" / "predictions.json", *images)
    coco = tmp_path / "captions.json"
    coco.write_text(
        json.dumps(
            [
                {"image_id": 139, "caption": "a sofa"},
                {"image_id": 7, "caption": "a dog"},
                {"image_id": 139, "caption": "a couch"},
            ]
        )
    )
    collection = collect([first, coco])
    assert [file.title for file in collection.files] == ["a", "captions"]
    assert [file.whole_images for file in collection.files] == [False, True]
    said = [
        [regions and [region.caption for region in regions] for regions in image.regions] for image in collection.images
    ]
    assert said == [[["x"], None], [["y"], None], [["000000000139"], ["a sofa"]], [None, ["a dog"]]]
    sofa = collection.images[2].regions[1][0]
    assert (sofa.box, sofa.score, sofa.others) == (None, None, ("a couch",))


def test_two_files_without_a_common_image_are_refused(tmp_path) -> None:
    first, second = _own(tmp_path / "p.json", _image()), _own(tmp_path / "q.json", _image("z", "z.jpg"))
    with pytest.raises(UserError, match="have no image in common: one has a.jpg, the other z.jpg"):
        collect([first, second])
    with pytest.raises(UserError, match="one file of predictions, or two side by side, not 3"):
        collect([first, first, first])


def test_the_same_name_in_two_folders_is_not_mixed_up(tmp_path) -> None:
    first = _own(tmp_path / "p.json", _image("1", "red/1.jpg"), _image("1-2", "blue/1.jpg"), _image("2", "red/2.jpg"))
    second = _own(tmp_path / "q.json", _image("1", "blue/1.jpg"), _image("5", "red/1.jpg"), _image("6", "green/2.jpg"))
    entries = [read_entries(path)[1] for path in (first, second)]
    assert match(*entries) == [1, 0, 2]
    assert [image.name for image in collect([first]).images] == ["red/1.jpg", "blue/1.jpg", "2.jpg"]


def test_frames_of_a_video_are_images_of_their_own(tmp_path) -> None:
    frames = [_image(f"v_{number}", "v.mp4", [_region(f"at {number}")], frame=number) for number in (0, 5)]
    first = _own(tmp_path / "p.json", *frames)
    lines = fakes.write_lines(tmp_path / "q.jsonl", frames[::-1])
    collection = collect([first, lines])
    assert [image.name for image in collection.images] == ["v.mp4 · frame 0", "v.mp4 · frame 5"]
    assert [[own[0].caption for own in image.regions] for image in collection.images] == [["at 0"] * 2, ["at 5"] * 2]


def test_further_captions_and_facts_come_along(tmp_path) -> None:
    several = [{"caption": text, "log_prob": -1.0, "token_log_probs": []} for text in ("a cat", "one cat", "a cat")]
    model = {"checkpoint": "/home/somebody/best.ckpt", "name": "densecap", "config": {"generation": {"beam_size": 5}}}
    path = fakes.write_own(tmp_path / "p.json", [_image(regions=[_region(captions=several)])], model=model)
    collection = collect([path])
    assert collection.images[0].regions[0][0].others == ("one cat",)
    facts = dict(collection.files[0].facts)
    assert facts == {"model": "densecap", "checkpoint": "best.ckpt", "beam size": "5", "format": "predictions.json"}


def test_without_any_size_the_boxes_give_one(tmp_path) -> None:
    path = tmp_path / "detections.json"
    path.write_text(json.dumps([{"image_id": 1, "bbox": [5, 5, 100.5, 40], "score": 0.5, "caption": "a cat"}]))
    image = collect([path]).images[0]
    assert (image.width, image.height) == (106, 45) and image.regions[0][0].box == (5, 5, 105.5, 45)
    results = tmp_path / "results.json"
    result = {"img_name": "a.jpg", "boxes": [[1, 1, 360, 180]], "scores": [0.0], "captions": ["a cat"]}
    results.write_text(json.dumps({"results": [result]}))
    image = collect([results]).images[0]
    assert (image.width, image.height, image.regions[0][0].score) == (720, 720, 0.5)
    Image.new("RGB", (720, 360)).save(tmp_path / "a.jpg")
    image = collect([results]).images[0]
    assert (image.width, image.height) == (720, 360) and image.regions[0][0].box == (0, 0, 360, 180)


def test_ids_are_distinct_and_empty_lists_are_lists(tmp_path) -> None:
    first, second = collect([_own(tmp_path / "p.json", _image("1", "a.jpg"), _image("1", "b.jpg"))]).images
    assert (first.image_id, second.image_id) == ("1", "1~2") and first.regions == [[]]
    with pytest.raises(UserError, match="holds no images to look at"):
        collect([_own(tmp_path / "q.json")])


def test_folders_mean_the_predictions_in_them(tmp_path) -> None:
    with pytest.raises(UserError, match="holds no predictions: there is none of predictions.json"):
        find_predictions(tmp_path)
    (tmp_path / "densecap").mkdir()
    for name in ("densecap/results.json", "predictions.csv", "predictions.json"):
        (tmp_path / name).write_text("{}")
        assert find_predictions(tmp_path) == tmp_path / name
    with pytest.raises(UserError, match="there is no file or folder .*denscap; did you mean densecap"):
        find_predictions(tmp_path / "denscap")


def test_titles_tell_files_apart() -> None:
    assert titles([Path("/o/first/predictions.json"), Path("/o/second/predictions.json")]) == ["first", "second"]
    assert titles([Path("/a/eval/predictions.json"), Path("/b/eval/predictions.json")]) == ["a/eval", "b/eval"]
    assert titles([Path("/a/mine.json"), Path("/a/x/densecap/results.json")]) == ["mine", "x"]
    assert shortest_distinct(["/a/1.jpg", "/b/1.jpg", "C:\\x\\2.jpg", "3.jpg"]) == [
        "a/1.jpg",
        "b/1.jpg",
        "2.jpg",
        "3.jpg",
    ]
