"""What clients of a server count: answers, their times, and what went wrong."""

import asyncio

import pytest
from PIL import Image
from rich.console import Console

from densecap.benchmark.load import report
from densecap.benchmark.load.connection import upload_request
from densecap.benchmark.load.crowd import press
from densecap.commands.benchmark import chosen_parts


async def pressed(answers, clients: int, seconds: float):
    """The load on a server whose n-th answer is ``answers(n)``, and the requests that it got."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            got.append(head + await reader.readexactly(length))
            answer = answers(len(got))
            if answer is None:
                break
            await asyncio.sleep(0.01)
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    memory = iter(range(100, 10_000))
    load = await press(
        url, [b"POST /v1/predict HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"], clients, seconds, lambda: next(memory)
    )
    server.close()
    return load, got


def http(status: str, body: bytes, *more: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *more, "", ""]).encode() + body


def test_good_answers_are_timed_and_others_counted() -> None:
    def answers(number: int) -> bytes | None:
        if number % 10 == 0:
            return None
        return http("503 Busy", b"full") if number % 10 == 5 else http("200 OK", b"fine")

    load, got = asyncio.run(pressed(answers, 3, 0.5))
    assert set(load.errors) == {"503: full", "the connection ended before the answer"}
    assert len(load.latencies) + load.errors.total() == len(got)
    assert all(latency >= 0.01 for latency in load.latencies) and load.seconds >= 0.5
    assert load.memory[:1] == [100] and load.memory[-1] > 100
    report.show([load, load], Console(quiet=True))
    assert report.to_json(load)["requests"] == len(load.latencies)


def test_a_connection_that_the_server_closes_is_opened_again() -> None:
    load, got = asyncio.run(pressed(lambda number: http("200 OK", b"x", "Connection: close"), 1, 0.2))
    assert not load.errors and len(load.latencies) == len(got) > 1


def test_a_request_is_a_form_with_the_picture(tmp_path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    request = upload_request("http://127.0.0.1:8000", tmp_path / "a.png", "max_detections=3", "secret")
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/predict?max_detections=3 HTTP/1.1\r\nHost: 127.0.0.1:8000")
    assert b"Authorization: Bearer secret" in head and f"Content-Length: {len(body)}".encode() in head
    assert (tmp_path / "a.png").read_bytes() in body and b'name="image"; filename="a.png"' in body


def test_the_part_has_its_name_in_the_list() -> None:
    with pytest.raises(Exception, match="did you mean serve"):
        chosen_parts("serv")
