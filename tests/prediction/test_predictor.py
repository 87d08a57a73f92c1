"""``densecap.load(...).predict(...)``: pictures of any kind in, results to look at out."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import densecap
from densecap.errors import UserError
from densecap.models.settings import DetectionSettings
from densecap.prediction.predictor import Predictor
from densecap.prediction.results import Result
from densecap.structures import Prediction, RegionPrediction
from tests.fakes.checkpoints import save_checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A dense captioner of random weights, m.ckpt, and four photos; the third is broken."""
    here = tmp_path_factory.mktemp("predictor")
    save_checkpoint(here / "m.ckpt", "model=densecap_small", "data.image_size=64", "detection.max_detections=4")
    (here / "photos").mkdir()
    generator = np.random.default_rng(0)
    for number in range(4):
        pixels = generator.integers(0, 256, (40 + number, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(here / "photos" / f"{number}.png")
    (here / "photos" / "2.png").write_bytes(b"broken")
    return here


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Predictor:
    return densecap.load(folder / "m.ckpt")


def boxes_of(result: Result) -> list:
    return [(region.box, region.caption) for region in result]


def test_one_photo_gives_one_result(predictor: Predictor, folder: Path) -> None:
    path = folder / "photos" / "1.png"
    result = predictor.predict(path)
    assert isinstance(result, Result) and (result.width, result.height, result.file) == (50, 41, str(path))
    assert 1 <= len(result) <= 4 and result[0].score >= result[-1].score
    direct = predictor.caption_images([result.image])[0]
    assert [region.caption for region in result] == result.captions == [region.caption for region in direct]
    assert result.boxes.shape == (len(result), 4) and result.scores.shape == (len(result),)


def test_every_kind_of_picture_is_the_same_picture(predictor: Predictor, folder: Path) -> None:
    path = folder / "photos" / "0.png"
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    array = np.array(picture)
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    expected = boxes_of(predictor.predict(str(path)))
    for given in (picture, array, tensor, picture.convert("RGBA"), array[::-1, ::-1].copy()[::-1, ::-1]):
        result = predictor.predict(given)
        assert isinstance(result, Result) and boxes_of(result) == expected and result.file == "image 1"
    several = predictor.predict([path, array, tensor], batch_size=1)
    assert [boxes_of(result) for result in several] == [expected] * 3
    assert len({result.prediction.image_id for result in several}) == 3
    assert [len(predictor.predict(batch)) for batch in (np.stack([array] * 2), torch.stack([tensor] * 2))] == [2, 2]
    assert predictor.predict(array[:, :, 0]).image.shape == (3, 40, 50), "grey"


def test_folders_globs_and_lists_give_lists(predictor: Predictor, folder: Path) -> None:
    photos = folder / "photos"
    assert [Path(result.file).name for result in predictor.predict([photos / "3.png", photos / "0.png"])] == [
        "3.png",
        "0.png",
    ]
    assert isinstance(predictor.predict(str(photos / "0*.png")), list)
    with pytest.warns(UserWarning, match=r"skipped: .*2\.png is not an image"):
        found = predictor.predict(photos, skip_broken=True, batch_size=3)
    assert [Path(result.file).name for result in found] == ["0.png", "1.png", "3.png"]
    for source in (photos, photos / "2.png", [photos / "2.png"]):
        with pytest.raises(UserError, match=r"2\.png is not an image in a known format"):
            predictor.predict(source)


def test_a_stream_gives_results_before_the_end_is_read(predictor: Predictor) -> None:
    given = [np.full((30, 40, 3), value, np.uint8) for value in range(0, 240, 20)]
    stream = predictor.stream(given, batch_size=1)
    assert next(stream).file == "image 1" and next(stream).file == "image 2"
    assert not isinstance(predictor.predict(given, stream=True), list)


def test_settings_for_one_call(predictor: Predictor, folder: Path) -> None:
    path = folder / "photos" / "0.png"
    assert len(predictor.predict(path, max_detections=1)) == 1
    assert len(predictor.predict(path, score_threshold=1.0)) == 0
    assert predictor.predict(path, beam_size=3)[0].log_prob >= predictor.predict(path)[0].log_prob - 1e-4
    assert predictor.detection.max_detections == 4, "and not for the next"
    with pytest.raises(UserError, match="there is no setting max_boxes; there are .*max_detections.*beam_size"):
        predictor.predict(path, max_boxes=1)
    with pytest.raises(UserError, match="precision=int8 is not known"):
        predictor.predict(path, precision="int8")


def test_given_boxes_are_described_as_they_are(predictor: Predictor, folder: Path) -> None:
    path, boxes = folder / "photos" / "0.png", [[1, 2, 30, 40], [0, 0, 50, 40], [1, 2, 30, 40]]
    result = predictor.predict(path, boxes=boxes)
    np.testing.assert_allclose(result.boxes, boxes, atol=1e-4)
    assert result[0].caption == result[2].caption
    several = predictor.predict([path, path], boxes=[boxes[:1], np.zeros((0, 4))])
    assert [len(own) for own in several] == [1, 0]
    with pytest.raises(UserError, match=r"boxes are \(R, 4\).*got \(4,\)"):
        predictor.predict(path, boxes=[1, 2, 3, 4])
    with pytest.raises(UserError, match="got none for image 2"):
        predictor.predict([result.image] * 2, boxes=[boxes])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((4, 4, 3), np.float32), "ndarray float32 .4, 4, 3."),
        (np.zeros((4, 4, 4), np.uint8), "got ndarray uint8"),
        (torch.zeros(4, 4, 3, dtype=torch.uint8), "got Tensor"),
        (7, "not int"),
        ([3.5], "got float"),
        ("no/such.jpg", "no/such.jpg names no file"),
    ],
)
def test_what_is_no_picture_is_refused(predictor: Predictor, given, words: str) -> None:
    with pytest.raises(UserError, match=words):
        predictor.predict(given)


def test_what_it_lacks_the_model_has(predictor: Predictor) -> None:
    assert predictor.vocabulary is predictor.model.vocabulary and predictor.to("cpu") is predictor
    assert predictor.decoder is predictor.model.decoder and predictor.image_size == 64
    assert next(predictor.parameters()).device == predictor.device == torch.device("cpu")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = predictor.nothing
    own = Predictor(predictor.model, DetectionSettings(max_detections=2))
    assert len(own.caption_images([torch.zeros(3, 30, 40, dtype=torch.uint8)])[0]) <= 2


def test_lower_precision_says_nearly_the_same(predictor: Predictor, folder: Path) -> None:
    path, boxes = folder / "photos" / "0.png", [[1, 2, 30, 40], [0, 0, 50, 40]]
    full, half = (predictor.predict(path, boxes=boxes, precision=name) for name in ("fp32", "bf16"))
    assert full.scores.tolist() != half.scores.tolist()
    np.testing.assert_allclose(full.scores, half.scores, atol=0.02)


REGIONS = [
    RegionPrediction((2.0, 1.0, 6.0, 5.0), 0.75, 'a "red" cat', -1.5),
    RegionPrediction((0.0, 0.0, 8.0, 6.0), 0.5, "été", -2.0),
]


def result_of(*regions: RegionPrediction) -> Result:
    image = torch.zeros(3, 6, 8, dtype=torch.uint8)
    image[0, 1:5, 2:6] = 255
    return Result(Prediction("a", "p/a.jpg", 8, 6, list(regions)), image)


def test_a_result_can_be_walked_and_shown() -> None:
    result = result_of(*REGIONS)
    assert list(result) == REGIONS and result[-1] is REGIONS[1] and len(result_of()) == 0
    assert repr(result) == "Result(p/a.jpg, 8 x 6, 2 regions: 'a \"red\" cat' 0.75, 'été' 0.50)"
    assert repr(result_of()) == "Result(p/a.jpg, 8 x 6, 0 regions)"
    assert repr(result_of(*REGIONS * 3)).endswith("0.75, ...)")
    with Image.open(io.BytesIO(result._repr_png_())) as picture:
        assert picture.size == result.plot().size == (480, 360)
    assert result.plot(0).tobytes() != result.plot(1).tobytes() != result.plot(line_width=20).tobytes()
    assert result_of().boxes.shape == (0, 4)


def test_crops_are_what_is_inside() -> None:
    result = result_of(*REGIONS)
    assert np.asarray(result.crop(0)).tolist() == [[[255, 0, 0]] * 4] * 4
    assert [crop.size for crop in result.crops()] == [(4, 4), (8, 6)]


def test_saving(tmp_path: Path) -> None:
    result = result_of(*REGIONS)
    assert result.save(tmp_path / "new" / "a.json").exists()
    data = json.loads((tmp_path / "new" / "a.json").read_text(encoding="utf-8"))
    assert data == result.to_json() and Prediction.from_json(data) == result.prediction
    for name in ("a.jpg", "a.PNG"):
        with Image.open(result.save(str(tmp_path / name))) as picture:
            assert picture.size == (480, 360)
    with pytest.raises(UserError, match=r"ends in no picture's suffix"):
        result.save(tmp_path / "a.docx")
    assert {path.name for path in tmp_path.iterdir()} == {"new", "a.jpg", "a.PNG"}


def test_detections_of_supervision(monkeypatch) -> None:
    pytest.importorskip("supervision", reason="supervision is not installed")
    detections = result_of(*REGIONS).to_detections()
    assert detections.xyxy.tolist() == [[2, 1, 6, 5], [0, 0, 8, 6]] and detections.confidence.tolist() == [0.75, 0.5]
    assert detections[detections.confidence > 0.6].data["caption"].tolist() == ['a "red" cat']
    assert len(result_of().to_detections()) == 0
    monkeypatch.setitem(__import__("sys").modules, "supervision", None)
    with pytest.raises(UserError, match="pip install supervision"):
        result_of().to_detections()
