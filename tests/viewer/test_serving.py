"""The server: hands out the page's files, and nothing else, to whoever asks this computer by its name."""

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from densecap.errors import UserError
from densecap.viewer.collection import collect
from densecap.viewer.serving import ViewerServer
from densecap.viewer.site import PAGE, Site
from tests.fakes import split as fakes


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ViewerServer]:
    Image.new("RGB", (40, 30), "red").save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_text("no photo")
    region = {"box": [1, 2, 20, 20], "score": 0.5, "caption": "a cat", "log_prob": -1.0}
    head = {"width": 40, "height": 30, "regions": [region]}
    names = ("a.png", "b.jpg", "c.jpg")
    images = [{"image_id": name, "file": name, **head} for name in names]
    site = Site(collect([fakes.write_own(tmp_path / "p.json", images)]))
    with ViewerServer(site, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server: ViewerServer, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    """The answer, its body read as ``body``."""
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Host": f"127.0.0.1:{server.server_address[1]}", **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    answer.body = answer.read()
    connection.close()
    return answer


def test_the_page_and_its_files_are_served(server) -> None:
    for name in ("", *PAGE, "theme.css", "data/index.js", "data/chunk-0000.js"):
        answer = ask(server, f"/{name}")
        assert answer.status == 200 and len(answer.body) == int(answer.headers["Content-Length"]) > 0
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert ask(server, "/").body == ask(server, "/index.html?x=1").body
    assert ask(server, "/").headers["Content-Type"] == "text/html; charset=utf-8"
    assert ask(server, "/viewer.js").headers["Content-Type"] == "text/javascript; charset=utf-8"


def test_photos_are_made_when_they_are_asked_for(server, tmp_path) -> None:
    photo = ask(server, "/images/000000.jpg")
    assert (photo.status, photo.headers["Content-Type"]) == (200, "image/png")
    assert photo.body == (tmp_path / "a.png").read_bytes()
    assert ask(server, "/thumbnails/000000.jpg").body[:2] == b"\xff\xd8"
    for name in ("images/000001.jpg", "thumbnails/000001.jpg", "images/000002.jpg", "images/000003.jpg"):
        assert ask(server, f"/{name}").status == 404  # no photo, gone, no such image


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "//etc/passwd",
        "/data/../p.json",
        "/p.json",
        "/a.png",
        "/data/",
        "/data",
        "/images",
        "/static/viewer.js",
        "/data/chunk-0001.js",
        "/data/chunk-00000.js",
        "/data/chunk-999999999.js",
        "/images/000000.jpg/..",
        "/images/0.jpg",
        "/images/%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0.jpg",
        "/index.html%00",
        "/index.html/",
        "/__init__.py",
    ],
)
def test_nothing_else_is_served(server, path) -> None:
    answer = ask(server, path)
    assert (answer.status, answer.body) == (404, b"not found\n")


def test_other_methods_are_refused(server) -> None:
    head = ask(server, "/viewer.js", "HEAD")
    assert head.status == 200 and head.body == b"" and int(head.headers["Content-Length"]) > 100
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert ask(server, "/", method).status == 501


def test_a_page_under_another_name_gets_nothing(server) -> None:
    """Else any page of the web could read the photos through a name that it points to this computer."""
    for host in ("evil.example", "evil.example:8001", "127.0.0.1.evil.example", "", "[", "localhost@evil.example"):
        assert ask(server, "/data/index.js", Host=host).status == 421
    for host in ("localhost", "localhost:1", "[::1]:8001", "127.0.0.1"):
        assert ask(server, "/data/index.js", Host=host).status == 200


def test_what_the_browser_has_is_not_sent_again(server) -> None:
    tag = ask(server, "/viewer.css").headers["ETag"]
    again = ask(server, "/viewer.css", **{"If-None-Match": tag})
    assert (again.status, again.body) == (304, b"")
    assert ask(server, "/viewer.css", **{"If-None-Match": '"other"'}).status == 200


def test_damaged_requests_do_no_harm(server) -> None:
    for request in (
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection(server.server_address[:2], timeout=10) as connection:
            connection.sendall(request)
    assert ask(server, "/").status == 200


def test_an_address_that_is_taken_is_a_sentence(server) -> None:
    port = server.server_address[1]
    with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1 port {port}: .*; choose another with port="):
        ViewerServer(server.site, port=port)
    with pytest.raises(UserError, match="cannot listen on not a host port 0"):
        ViewerServer(server.site, "not a host", 0)


def test_the_address_is_one_that_a_browser_opens(server) -> None:
    assert server.url == f"http://127.0.0.1:{server.server_address[1]}/"
    with ViewerServer(server.site, "0.0.0.0", 0) as everybody:
        assert everybody.url == f"http://127.0.0.1:{everybody.server_address[1]}/"
        assert everybody.is_for_us("mine.example:80")
