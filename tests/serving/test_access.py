"""Names, origins and tokens; headers and files of the pages."""

import re
from html.parser import HTMLParser

import pytest

from densecap.serving.access import SECURITY_HEADERS
from densecap.serving.admission import Rate
from densecap.serving.refusals import Refused


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "192.168.1.5:8000", "", "127.0.0.1.evil.example"]
)
def test_a_local_server_goes_by_local_names_only(open_client, host: str) -> None:
    assert open_client().get("/v1/health", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
def test_local_names(open_client, host: str) -> None:
    assert open_client().get("/v1/health", headers={"Host": host}).status_code == 200


def test_an_open_server_goes_by_addresses_and_names_that_were_given(open_client) -> None:
    client = open_client(locally=False, hosts=["photos.example"])
    named = {"10.0.0.7:8000": 200, "[fe80::1]:8000": 200, "photos.example": 200, "evil.example": 403}
    assert {host: client.get("/", headers={"Host": host}).status_code for host in named} == named
    assert open_client(locally=False, hosts=["*"]).get("/", headers={"Host": "any.example"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9000", "http://localhost:8000"])
def test_pages_of_other_sites_post_nothing(open_client, encode, origin: str) -> None:
    files = {"image": encode()}
    assert open_client().post("/v1/predict", files=files, headers={"Origin": origin}).status_code == 403


def test_our_own_page_posts(open_client, encode) -> None:
    answer = open_client().post("/v1/predict", files={"image": encode()}, headers={"Origin": "http://127.0.0.1:8000"})
    assert answer.status_code == 200


def test_the_token_guards_what_the_model_does(open_client, post, encode) -> None:
    client = open_client(token="sésame")
    assert post(client, encode()).status_code == 401
    refused = client.get("/v1/model")
    assert refused.status_code == 401 and refused.headers["WWW-Authenticate"] == "Bearer"
    for given in ("sesame", "sésame2", ""):
        assert client.get("/v1/model", params={"token": given}).status_code == 401
    assert client.get("/v1/model", params={"token": "sésame"}).status_code == 200
    assert client.get("/v1/model", headers={"Authorization": "Basic sésame".encode()}).status_code == 401
    assert client.get("/v1/model", headers={b"Authorization": "bearer sésame".encode()}).status_code == 200
    assert [client.get(path).status_code for path in ("/v1/health", "/theme.css", "/docs")] == [200] * 3


def test_model_and_health(open_client) -> None:
    client = open_client()
    assert client.get("/v1/health").json()["status"] == "ok"
    model = client.get("/v1/model").json()
    assert model["vocabulary"] == ["a", "b"] and model["finds_boxes"] and model["devices"] == ["cpu"]
    assert model["limits"]["queue_length"] == 64 and "secret" not in str(model)


def test_every_answer_has_the_headers(open_client) -> None:
    client = open_client(token="x")
    for path in ("/", "/v1/health", "/v1/model", "/nothing", "/docs", "/static/nothing"):
        headers = client.get(path).headers
        assert all(headers[name] == value for name, value in SECURITY_HEADERS.items()), path


@pytest.mark.parametrize("path", ["../app.py", "%2e%2e/app.py", "..%2fapp.py", "%2fetc/passwd", "..\\app.py", "static"])
def test_files_do_not_leave_their_folder(open_client, path: str) -> None:
    answer = open_client().get(f"/static/{path}")
    assert answer.status_code in (404, 405) and b"FastAPI" not in answer.content


class Addresses(HTMLParser):
    """Whatever a page loads or leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.found += [value for name, value in attrs if name in ("src", "href", "action") and value]
        assert tag != "style" and not any(name == "style" or name.startswith("on") for name, _ in attrs)


def test_the_page_about_the_interface_needs_nothing_from_elsewhere(open_client) -> None:
    client = open_client()
    page = client.get("/docs").text
    addresses = Addresses()
    addresses.feed(page)
    assert addresses.found and all(re.match(r"/(?!/)", address) for address in addresses.found)
    assert all(client.get(address).status_code == 200 for address in addresses.found)
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {"/v1/health", "/v1/model", "/v1/predict"}
    assert all(path in page for path in [*described["paths"], "/v1/stream"])
    assert all(name in page for name in ("score_threshold", "max_detections", "beam_size", "boxes", "503"))


def test_the_rate_is_a_bucket_for_each_address() -> None:
    now = [0.0]
    rate = Rate(60, lambda: now[0])
    for _ in range(60):
        rate.check("192.0.2.1")
    with pytest.raises(Refused) as refused:
        rate.check("192.0.2.1")
    assert refused.value.status == 429 and refused.value.retry_after == 1
    rate.check("192.0.2.2")
    now[0] += 2.0
    for _ in range(2):
        rate.check("192.0.2.1")
    with pytest.raises(Refused):
        rate.check("::ffff:192.0.2.1")
    for index in range(60):
        rate.check(f"2001:db8::{index:x}")
    with pytest.raises(Refused):
        rate.check("2001:db8::ffff")
