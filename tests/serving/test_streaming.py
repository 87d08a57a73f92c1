"""The WebSocket: messages, newest frame wins, captions that are kept, and errors that end nothing."""

import json
import threading
import time

import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from tests.fakes.whole_images import small_image_captioner

LIVE = "ws://127.0.0.1:8000/v1/stream"


def frame(number: int, content: bytes) -> bytes:
    return number.to_bytes(4, "big") + content


def ask(socket, number: int, content: bytes) -> dict:
    socket.send_bytes(frame(number, content))
    return socket.receive_json()


def test_frames_are_answered_as_requests_are(open_client, post, encode) -> None:
    client, content = open_client(), encode(kind="JPEG")
    with client.websocket_connect(LIVE) as socket:
        hello = socket.receive_json()
        assert (hello["type"], hello["protocol"]) == ("hello", 1)
        assert hello["model"]["name"] == "miniature" and hello["model"]["checkpoint"] == "best.ckpt"
        assert hello["limits"]["max_pixels"] == 40_000_000
        told = ask(socket, 4_000_000_000, content)
    assert (told["type"], told["sequence"], told["width"], told["height"]) == ("regions", 4_000_000_000, 90, 60)
    assert told["dropped"] == 0 and set(told["timing"]) == {"queue_ms", "model_ms", "total_ms"}
    expected = post(client, content).json()["images"][0]["regions"]
    assert [(region["box"], region["caption"]) for region in told["regions"]] == [
        (region["box"], region["caption"]) for region in expected
    ]
    assert [region["id"] for region in told["regions"]] == list(range(1, len(expected) + 1))


def test_options_hold_for_the_frames_that_follow(open_client, encode) -> None:
    content = encode(kind="WebP")
    with open_client().websocket_connect(LIVE) as socket:
        socket.receive_json()
        assert len(ask(socket, 1, content)["regions"]) == 5
        socket.send_text(json.dumps({"max_detections": 2, "score_threshold": None, "boxes": None, "track": False}))
        assert len(ask(socket, 2, content)["regions"]) == 2
        socket.send_text(json.dumps({"boxes": [[10, 5, 60, 50]], "beam_size": 2}))
        assert [region["box"] for region in ask(socket, 3, content)["regions"]] == [[10, 5, 60, 50]]


def test_errors_name_the_frame_and_end_nothing(open_client, make_service, encode) -> None:
    with open_client(make_service(max_upload=40_000)).websocket_connect(LIVE) as socket:
        socket.receive_json()
        for content, status in ((b"nonsense", 415), (encode()[:500], 422), (encode(200, 200), 413)):
            told = ask(socket, 7, content)
            assert (told["type"], told["status"], told["sequence"]) == ("error", status, 7), told
        for text in ("[1]", "{", '{"track": 1}', '{"max_detections": 1000}', '{"speed": 1}', "[" * 9999):
            socket.send_text(text)
            assert socket.receive_json()["status"] == 422
        socket.send_bytes(b"\0\0\0\1")
        assert socket.receive_json()["status"] == 422
        assert ask(socket, 8, encode())["type"] == "regions"


def test_the_newest_frame_wins(open_client, make_service, encode) -> None:
    service, going, go = make_service(), threading.Event(), threading.Event()
    client = open_client(service)
    describe = service.workers[0].describe

    def slow(queries):
        going.set()
        assert go.wait(10)
        return describe(queries)

    service.workers[0].describe = slow
    with client.websocket_connect(LIVE) as socket:
        socket.receive_json()
        socket.send_bytes(frame(1, encode()))
        assert going.wait(10)
        for number in range(2, 12):
            socket.send_bytes(frame(number, encode()))
        socket.send_bytes(frame(12, b"a broken one is told at once, when all before it were read"))
        assert socket.receive_json()["sequence"] == 12
        go.set()
        first, second = socket.receive_json(), socket.receive_json()
    assert first["sequence"] == 1
    assert 2 <= second["sequence"] <= 11 and first["dropped"] + second["dropped"] == 9  # of the ten one is described


def test_captions_of_what_stays_are_not_decoded_again(open_client, make_service, encode) -> None:
    service, decoded = make_service(), []
    client = open_client(service)
    describe = service.workers[0].describe

    def counting(queries):
        answers = describe(queries)
        decoded.extend(answer.decoded for answer in answers)
        return answers

    service.workers[0].describe = counting
    content = encode()
    with client.websocket_connect(LIVE) as socket:
        socket.receive_json()
        socket.send_text(json.dumps({"track": True}))
        told = [ask(socket, number, content) for number in range(4)]
        assert [item["regions"] for item in told] == [told[0]["regions"]] * 4
        assert decoded == [5, 0, 0, 0]
        socket.send_text(json.dumps({"track": True, "beam_size": 2}))
        ask(socket, 9, content)
        socket.send_text(json.dumps({"track": True, "boxes": [[0, 0, 40, 40], [5, 5, 70, 50]]}))
        given = [ask(socket, number, content)["regions"] for number in (10, 11)]
    assert decoded[4:] == [5, 2, 0] and given[0] == given[1]
    assert [region["id"] for region in given[0]] == [1, 2]


def test_a_whole_image_model_has_one_region(open_client, make_service, post, encode) -> None:
    client = open_client(make_service(model=small_image_captioner()))
    with client.websocket_connect(LIVE) as socket:
        assert socket.receive_json()["model"]["finds_boxes"] is False
        socket.send_text(json.dumps({"track": True}))
        told = [ask(socket, number, encode(kind="JPEG", seed=number)) for number in (1, 2)]
    assert [[(r["id"], r["box"]) for r in item["regions"]] for item in told] == [[(1, [0, 0, 90, 60])]] * 2
    answer = post(client, encode(), boxes="[[1,2,40,50]]").json()["images"][0]["regions"]
    assert [region["box"] for region in answer] == [[1, 2, 40, 50]]


def test_live_connections_have_a_bound(open_client, make_service, encode) -> None:
    service = make_service(max_streams=1)
    client = open_client(service)
    with client.websocket_connect(LIVE) as first:
        first.receive_json()
        with client.websocket_connect(LIVE) as second:
            assert second.receive_json()["status"] == 503
            with pytest.raises(WebSocketDisconnect) as closed:
                second.receive_json()
        assert closed.value.code == 1013
        assert ask(first, 1, encode())["type"] == "regions"
    deadline = time.monotonic() + 5
    while service.streams and time.monotonic() < deadline:
        time.sleep(0.01)
    assert service.streams == 0


def test_connections_need_the_token_and_a_page_of_ours(open_client, make_service) -> None:
    client = open_client(make_service(requests_per_minute=4), token="secret")
    for query, headers in (
        ("", {}),
        ("?token=secre", {}),
        ("?token=secret", {"Origin": "http://evil.example"}),
        ("?token=secret", {"Host": "evil.example"}),
    ):
        with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect(LIVE + query, headers=headers):
            pass
        assert refused.value.status_code in (401, 403)
    with client.websocket_connect(f"{LIVE}?token=secret", headers={"Origin": "http://127.0.0.1:8000"}) as socket:
        assert socket.receive_json()["type"] == "hello"
    with client.websocket_connect(LIVE, headers={"Authorization": "Bearer secret"}) as socket:
        assert socket.receive_json()["type"] == "hello"
    with client.websocket_connect(f"{LIVE}?token=secret") as socket:
        assert socket.receive_json()["status"] == 429
