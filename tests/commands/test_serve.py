"""``serve``: what may be typed, and a real process among good, bad and many clients."""

import asyncio
import io
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest
import websockets.sync.client
from omegaconf import OmegaConf
from PIL import Image

from densecap.benchmark.load.connection import upload_request
from densecap.benchmark.load.crowd import Load, press
from densecap.benchmark.load.server import ServerProcess, running_server
from densecap.cli.composition import compose
from densecap.commands.serve import _limits, open_door
from densecap.errors import UserError
from densecap.serving.addresses import is_local, open_socket, shown_addresses
from densecap.serving.limits import Limits
from tests.fakes.checkpoints import save_checkpoint

ROOT = Path(__file__).parents[2]


def door(*options: str):
    return open_door(compose("serve", list(options)))


def test_a_server_is_for_this_machine_without_being_told_more() -> None:
    plain = door()
    assert (plain.host, plain.token, plain.certificate) == ("127.0.0.1", None, None) and is_local(plain.host)
    limits = _limits(compose("serve", []))
    assert limits.requests_per_minute is None and limits.queue_length >= 64
    assert _limits(compose("serve", ["host=0.0.0.0"])).requests_per_minute == 600
    assert _limits(compose("serve", ["limits.requests_per_minute=5"])).requests_per_minute == 5


def test_tokens_and_names_are_taken_as_typed_or_made_up() -> None:
    assert len(door("token=auto").token or "") > 20 and door("token=auto").token != door("token=auto").token
    assert door("token='007'").token == "007"
    assert door("hosts=[a.example,b.example]").hosts == ("a.example", "b.example")


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("limits.max_pixels=0", "limits.max_pixels is a whole number above 0"),
        ("limits.max_images=100", "find no room in a queue of limits.queue_length=64"),
    ],
)
def test_limits_out_of_range(option: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        _limits(compose("serve", [option]))


@pytest.mark.parametrize(
    ("https", "says"),
    [("maybe", "give auto, off"), ("{cert:a.pem}", "give auto, off"), ("{cert:a,key:b}", "no such file")],
)
def test_certificates_that_cannot_be_used(https: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        door(f"https={https}")


def test_plain_http_where_nobody_asks_for_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert door("https=off").certificate is None and not list(tmp_path.iterdir())
    assert door("https=auto").certificate is not None
    assert (tmp_path / "densecap" / "https" / "server.pem").is_file()


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with open_socket("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is in use already"):
            open_socket("127.0.0.1", port)
    with pytest.raises(UserError, match="host=no.such.name.invalid is no address of this machine"):
        open_socket("no.such.name.invalid", 0)
    with pytest.raises(UserError, match="is no address of this machine"):
        open_socket("192.0.2.77", 0)
    with pytest.raises(UserError, match="from 0 to 65535"):
        open_socket("127.0.0.1", 70000)


def test_addresses_to_open() -> None:
    assert shown_addresses("127.0.0.1", 8000, "http") == ["http://127.0.0.1:8000/"]
    assert shown_addresses("2001:db8::7", 8000, "https") == ["https://[2001:db8::7]:8000/"]
    everywhere = shown_addresses("0.0.0.0", 80, "http")
    assert everywhere[0] == "http://127.0.0.1:80/" and f"http://{socket.gethostname()}:80/" in everywhere
    assert [is_local(host) for host in ("::1", "127.0.0.9", "localhost", "0.0.0.0", "10.1.1.1", "example")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip


def test_percentiles_are_nearest_ranks_and_growth_is_from_a_third_on() -> None:
    load = Load(1, 2.0, [0.4, 0.1, 0.3, 0.2], memory=[100, 150, 200, 200, 210, 220])
    assert (load.percentile(50), load.percentile(99), load.requests_per_second) == (0.2, 0.4, 2.0)
    assert load.memory_growth == pytest.approx(0.1)
    swinging = Load(1, memory=[100 + second + 50 * (second % 3 == 0) for second in range(60)])
    assert swinging.memory_growth == pytest.approx((100 + 57 + 50) / (100 + 18 + 50) - 1)


# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of random weights under outputs/, and noise as pictures."""
    here = tmp_path_factory.mktemp("serve")
    checkpoint = here / "outputs" / "train" / "run" / "checkpoints" / "best.ckpt"
    checkpoint.parent.mkdir(parents=True)
    save_checkpoint(checkpoint, "model=densecap_small", "data.image_size=96")
    for number in range(4):
        Image.effect_noise((120, 90), 80).convert("RGB").save(here / f"{number}.jpg")
    return here


#: Few boxes on small pictures, so that a test is about the server.
QUICK = ("image_size=96", "detection.max_proposals=20", "detection.max_detections=3", "device=cpu")


@contextmanager
def server(folder: Path, *options: str):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_DATA_HOME": str(folder), "PYTHONPATH": str(ROOT)}
    with running_server([*QUICK, *options], folder, environment) as process:
        yield process


def uploads(url: str, content: bytes) -> httpx.Response:
    return httpx.post(f"{url}/v1/predict", files={"image": ("a.jpg", content)}, timeout=60)


def bad_uploads(good: bytes) -> dict[str, tuple[bytes, set[int]]]:
    """What strangers send, and the statuses that may come of it."""
    bomb = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")
    return {
        "truncated": (good[: len(good) // 2], {422}),
        "corrupt": (good[:200] + bytes(400) + good[600:], {200, 422}),
        "huge": (good + bytes(40 * 2**20), {413}),
        "bomb": (bomb.getvalue(), {413}),
        "text": (b"hello " * 1000, {415}),
        "empty": (b"", {422}),
    }


@pytest.mark.long
def test_bad_uploads_among_many_good_ones_harm_nobody(folder: Path) -> None:
    good = (folder / "0.jpg").read_bytes()
    bad = bad_uploads(good)
    with server(folder) as process:
        alone = uploads(process.url, good).json()["images"]
        requests = [upload_request(process.url, folder / f"{number}.jpg") for number in range(4)]

        async def everybody() -> tuple[Load, dict[str, set[int]]]:
            pressing = asyncio.create_task(press(process.url, requests, 50, 10, process.memory))
            statuses: dict[str, set[int]] = {name: set() for name in bad}
            while not pressing.done():
                for name, (content, _) in bad.items():
                    statuses[name].add((await asyncio.to_thread(uploads, process.url, content)).status_code)
            return await pressing, statuses

        load, statuses = asyncio.run(everybody())
        assert not load.errors and len(load.latencies) >= 50
        assert all(seen and seen <= bad[name][1] for name, seen in statuses.items()), statuses
        assert uploads(process.url, good).json()["images"] == alone
        assert httpx.get(f"{process.url}/v1/health").json()["status"] == "ok"
        assert process.stop() == 0
    assert process.said[-1] == "stopped" and not any("Traceback" in line for line in process.said)


@pytest.mark.long
def test_https_token_stream_and_files_over_the_wire(folder: Path) -> None:
    content = (folder / "1.jpg").read_bytes()
    with server(folder, "https=auto", "token=007", "host=0.0.0.0") as process:
        assert process.url.startswith("https://127.0.0.1:")
        said = "\n".join(process.said)
        trusted = ssl.create_default_context(cafile=folder / "densecap" / "https" / "certificate.pem")
        address = process.url
        with httpx.Client(base_url=address, verify=trusted) as client:
            assert client.get("/v1/model").status_code == 401
            assert client.get("/v1/model?token=007").status_code == 200
            assert client.get("/").status_code == 200 and client.get("/theme.css").status_code == 200
        raw = socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])))
        with trusted.wrap_socket(raw, server_hostname="localhost") as plain:
            plain.sendall(b"GET /static/../app.py HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert b" 404 " in plain.makefile("rb").readline()
        live = address.replace("https", "wss") + "/v1/stream"
        with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
            websockets.sync.client.connect(live, ssl=trusted)
        assert refused.value.response.status_code == 401
        with websockets.sync.client.connect(f"{live}?token=007", ssl=trusted) as stream:
            assert json.loads(stream.recv())["type"] == "hello"
            stream.send((5).to_bytes(4, "big") + content)
            told = json.loads(stream.recv())
            assert (told["type"], told["sequence"]) == ("regions", 5) and len(told["regions"]) <= 3
            process.process.terminate()
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                stream.recv()
        assert process.process.wait(30) == 0
    said += "\n".join(process.said)
    assert "fingerprint" in said and "using the newest checkpoint" in said and "warning" not in said


@pytest.mark.long
def test_the_camera_of_predict_opens_the_page(folder: Path) -> None:
    seen = folder / "opened.txt"
    browser = folder / "browser.sh"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > "{seen}.part"; mv "{seen}.part" "{seen}"\n')
    browser.chmod(0o755)
    environment = {**os.environ, "BROWSER": f"{browser} %s", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "predict.py"), "source=webcam", *QUICK]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, env=environment)
    deadline = time.monotonic() + 120
    while not seen.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    address = seen.read_text()
    assert address.startswith("http://127.0.0.1:") and address.endswith("/?camera=1")
    assert httpx.get(address).status_code == 200
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 0 and messages.rstrip().endswith("stopped"), messages


@pytest.mark.long
def test_a_port_in_use_is_said_before_the_model_is_loaded(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "densecap", "serve", f"port={port}", "ckpt=nothing.ckpt"]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
    assert done.returncode == 2 and done.stderr.splitlines() == [
        f"densecap: port {port} is in use already: stop what listens there, or give another, as in port={port + 1}"
    ]


def test_a_server_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(UserError, match="the server did not start"):
        ServerProcess([], tmp_path)


def test_every_limit_is_in_the_configuration() -> None:
    written = OmegaConf.to_container(compose("serve", []).limits)
    expected = asdict(Limits()) | {"requests_per_minute": "auto"}
    assert written == expected
