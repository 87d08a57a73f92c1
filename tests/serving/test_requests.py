"""POST /v1/predict: what the model says, and what is refused with which status."""

import io
import struct
import threading
import zlib

import pytest
import torch
from PIL import Image

from densecap.data.images import read_image
from densecap.evaluation.document import read_document
from densecap.evaluation.formats.own import matches_json, read_json
from densecap.models.generation import GenerationSettings
from densecap.models.settings import DetectionSettings


def test_the_answer_is_what_the_model_says_of_the_picture(open_client, make_service, post, encode) -> None:
    service, content = make_service(), encode()
    answer = post(open_client(service), content)
    assert answer.status_code == 200
    model = service.describers[0].model
    detection, generation = DetectionSettings(max_detections=5), GenerationSettings(max_length=4)
    expected = model.caption_images([read_image(content)], detection, generation)[0]
    image = answer.json()["images"][0]
    assert (image["file"], image["image_id"], image["width"], image["height"]) == ("1.png", "1", 90, 60)
    assert [region["caption"] for region in image["regions"]] == [region.caption for region in expected]
    for region, own in zip(image["regions"], expected, strict=True):
        assert region["box"] == pytest.approx(own.box, abs=0.02)
        assert region["score"] == pytest.approx(own.score, abs=1e-4)


def test_the_answer_is_read_as_a_prediction_document(open_client, post, encode, tmp_path) -> None:
    path = tmp_path / "predictions.json"
    path.write_bytes(post(open_client(), encode(), encode(40, 80, seed=1), max_detections=2).content)
    document = read_document(path)
    assert matches_json(document)
    predictions = read_json(document)
    assert len(predictions.images) == 2 and predictions.model["config"]["detection"]["max_detections"] == 2
    assert predictions.model["checkpoint"] == "best.ckpt", "no folder of the server"


def test_a_large_picture_and_a_turned_one_are_seen_as_a_viewer_shows_them(open_client, post) -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    Image.effect_noise((200, 100), 90).convert("RGB").save(file, "JPEG", exif=exif)
    image = post(open_client(), file.getvalue()).json()["images"][0]
    assert (image["width"], image["height"]) == (100, 200)


def test_given_boxes_come_back_as_they_were_with_their_captions(open_client, make_service, post, encode) -> None:
    service, content, boxes = make_service(), encode(), [[1.5, 2, 40, 50], [0, 0, 90, 60]]
    answer = post(open_client(service), content, boxes=str(boxes))
    model = service.describers[0].model
    expected = model.caption_boxes([read_image(content)], [torch.tensor(boxes)], GenerationSettings(max_length=4))[0]
    regions = answer.json()["images"][0]["regions"]
    assert [region["box"] for region in regions] == boxes
    assert [region["caption"] for region in regions] == [region.caption for region in expected]


def test_a_broken_picture_among_good_ones_is_named_and_harms_nobody(open_client, post, encode) -> None:
    answer = post(open_client(), encode(seed=1), b"no picture", encode(seed=2))
    assert answer.status_code == 200
    document = answer.json()
    assert [image["file"] for image in document["images"]] == ["1.png", "3.png"]
    assert document["errors"][0]["file"] == "2.png" and document["errors"][0]["reason"].startswith("is not an image")
    assert document["timing"]["images"] == 2


def claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header says that it is huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (b"", 422, "1.png is empty"),
        (b"GIF or so", 415, "1.png is not an image of a type that is taken"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415, "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "not an image"),
        (claims(20_000, 20_000), 413, "1.png is too large"),
        (claims(60_000, 60_000), 413, "1.png is too large"),
        (claims(3000, 1001), 413, "3000 x 1001 pixels, more than the 3,000,000"),
        (claims(300, 200), 422, "1.png is damaged"),
    ],
)
def test_what_is_no_picture_is_refused(open_client, make_service, post, content, status, says) -> None:
    answer = post(open_client(make_service(max_pixels=3_000_000)), content)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["status"] == status and says in error["message"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF"])
def test_a_picture_of_each_type_is_taken_and_half_of_it_refused(open_client, post, encode, kind) -> None:
    client, content = open_client(), encode(120, 90, kind)
    assert post(client, content).status_code == 200
    assert post(client, content[: len(content) // 2]).status_code == 422


def test_pictures_of_odd_shapes_are_described_unless_they_are_a_line(open_client, post, encode) -> None:
    client = open_client()
    statuses = [post(client, encode(*size)).status_code for size in [(1, 1), (400, 100), (2000, 1), (1, 2000)]]
    assert statuses == [200, 200, 422, 422]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"score_threshold": "2"}, "score_threshold is a number from 0 to 1, got 2"),
        ({"score_threshold": "nan"}, "score_threshold is a number"),
        ({"max_detections": "0"}, "max_detections is a whole number from 1 to 100"),
        ({"max_detections": "101"}, "from 1 to 100, got 101"),
        ({"beam_size": "many"}, 'got "many"'),
        ({"boxes": "[[1,2,3]]"}, "boxes are a list [[x1,y1,x2,y2],...]"),
        ({"boxes": "[[5,2,3,9]]"}, "with x1 < x2"),
        ({"boxes": "[]"}, "boxes are from 1 to 100, got 0"),
        ({"boxes": "[[90,0,99,9]]"}, "box 0 covers nothing of the picture, which has 90 x 60 pixels"),
        ({"boxes": "[" * 5000}, "boxes are a list"),
        ({"max_detection": "3"}, "did you mean max_detections?"),
    ],
)
def test_options_out_of_range_are_refused(open_client, post, encode, query, says) -> None:
    answer = post(open_client(), encode(), **query)
    assert answer.status_code == 422 and says in answer.json()["error"]["message"]


def test_bodies_that_are_no_forms_with_pictures_are_refused(open_client, encode) -> None:
    client = open_client()
    assert client.post("/v1/predict", content=encode(), headers={"Content-Type": "image/png"}).status_code == 415
    assert client.post("/v1/predict", data={"image": "text"}).status_code == 415
    assert client.post("/v1/predict", files={"picture": encode()}).status_code == 422
    head = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--x--\r\n", b"--x\r\nnonsense", b"\r\n--y\r\n"):
        answer = client.post("/v1/predict", content=body, headers=head)
        assert answer.status_code == 422, body
    assert client.post("/v1/predict", content=b"", headers={"Content-Type": "multipart/form-data"}).status_code == 422
    assert client.get("/v1/predict").status_code == 405
    assert client.get("/v2").json()["error"]["status"] == 404


def test_an_upload_is_refused_while_it_arrives(open_client, make_service, post) -> None:
    client = open_client(make_service(max_upload=10_000))
    sent: list[int] = []

    def body():
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        for _ in range(10_000):
            sent.append(1)
            yield b"y" * 4000

    head = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.post("/v1/predict", content=body(), headers=head).status_code == 413
    too_long = {**head, "Content-Length": str(10**12)}
    answer = client.post("/v1/predict", content=b"--x", headers=too_long)
    assert answer.status_code == 413 and answer.json()["error"]["message"].endswith("10,000 bytes are taken")
    assert post(client, b"x" * 20_000).status_code == 413


def test_too_many_pictures_at_once(open_client, make_service, post, encode) -> None:
    client = open_client(make_service(max_images=2, queue_length=2))
    assert post(client, *[encode()] * 2).status_code == 200
    answer = post(client, *[encode()] * 3)
    assert answer.status_code == 422 and "at most 2" in answer.json()["error"]["message"]


def test_a_full_queue_says_when_to_come_again(open_client, make_service, post, encode) -> None:
    service, going, go = make_service(queue_length=1, max_images=1), threading.Event(), threading.Event()
    client = open_client(service)
    describe = service.workers[0].describe

    def slow(queries):
        going.set()
        assert go.wait(10)
        return describe(queries)

    service.workers[0].describe = slow
    statuses: list[int] = []
    first = threading.Thread(target=lambda: statuses.append(post(client, encode()).status_code))
    first.start()
    assert going.wait(10)
    answer = post(client, encode())
    go.set()
    first.join(10)
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
    assert statuses == [200] and service.room.taken == 0
    assert post(client, encode()).status_code == 200


def test_requests_are_counted_by_address(open_client, make_service, post, encode) -> None:
    client = open_client(make_service(requests_per_minute=2))
    assert [post(client, encode()).status_code for _ in range(3)] == [200, 200, 429]
    answer = post(client, encode())
    assert 1 <= int(answer.headers["Retry-After"]) <= 30
    assert client.get("/v1/health").status_code == 200


def test_a_picture_that_the_model_fails_on_harms_no_other(open_client, make_service, post, encode) -> None:
    service = make_service()
    client, describe = open_client(service), service.workers[0].describe

    def fails_on_tall(queries):
        if any(query.picture.height > query.picture.width for query in queries):
            raise RuntimeError("no")
        return describe(queries)

    service.workers[0].describe = fails_on_tall
    answer = post(client, encode(), encode(50, 70), encode(seed=3))
    assert [image["file"] for image in answer.json()["images"]] == ["1.png", "3.png"]
    alone = post(client, encode(50, 70))
    assert alone.status_code == 500 and alone.json()["error"]["message"] == "the model failed on this picture"


def test_names_of_files_are_safe_to_show(open_client, encode) -> None:
    files = [("image", ("../../etc/pass\x1b[31mwd.png", encode())), ("image", ("..\\a.png", encode()))]
    names = [image["file"] for image in open_client().post("/v1/predict", files=files).json()["images"]]
    assert all("/" not in name and "\\" not in name and name.isprintable() for name in names)


def test_numbers_that_are_not_finite_are_no_answer(open_client, make_service, make_captioner, post, encode) -> None:
    model = make_captioner()
    torch.nn.init.constant_(model.recognition.objectness.weight, float("nan"))
    assert post(open_client(make_service(model=model)), encode()).status_code == 422
