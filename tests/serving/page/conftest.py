"""The live page as people meet it: ``serve`` as a process with HTTPS, a token and a trained checkpoint, and Chromium
whose camera plays one of the scenes that the model knows."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fakes.browser import playwright
from tests.fakes.trained import ROOT, Trained, trained

TOKEN = "let me in"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


@pytest.fixture(scope="session")
def browser_path() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        missing = f"none of {', '.join(names)} is installed"
        pytest.fail(missing) if os.environ.get("CI_RUN") else pytest.skip(missing)
    return path


@pytest.fixture(scope="session")
def model(browser_path: str, tmp_path_factory) -> Trained:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    return trained(shared / "trained")


@pytest.fixture(scope="session")
def server(model: Trained, tmp_path_factory) -> Iterator[str]:
    """The address of a running server."""
    folder = tmp_path_factory.mktemp("serve")
    options = [f"ckpt={model.checkpoint}", "https=auto", "port=0", f"token='{TOKEN}'", "device=cpu"]
    command = [sys.executable, "-m", "densecap", "serve", *options]
    environment = {**os.environ, "XDG_DATA_HOME": str(folder), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield address_of(process)
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 0


def address_of(process: subprocess.Popen) -> str:
    said: list[str] = []
    for line in process.stderr:
        said.append(line)
        if found := re.match(r"open (https://[^/]+)/", line):
            threading.Thread(target=process.stderr.read, daemon=True).start()  # a full pipe would stop the server
            return found[1]
    raise AssertionError("".join(said))


def camera_film(path: Path, picture: Path, frames: int = 12) -> None:
    """A YUV4MPEG2 film of 512 x 384 pixels at 30 frames/s in which the picture, filled up with grey, moves a little."""
    scene = Image.open(picture).convert("RGB")
    with path.open("wb") as film:
        film.write(b"YUV4MPEG2 W512 H384 F30:1 Ip A1:1 C420jpeg\n")
        for number in range(frames):
            canvas = Image.new("RGB", (512, 384), (128, 128, 128))
            large = scene.resize((round(scene.width * 384 / scene.height), 384))
            canvas.paste(large, ((512 - large.width) // 2 + abs(number - frames // 2), 0))
            pixels = np.asarray(canvas.convert("YCbCr"))
            planes = (pixels[..., 0], pixels[::2, ::2, 1], pixels[::2, ::2, 2])
            film.write(b"FRAME\n" + b"".join(plane.tobytes() for plane in planes))


@pytest.fixture(scope="session")
def chromium(browser_path: str, model: Trained, tmp_path_factory) -> Iterator:
    """A browser whose camera shows the first scene."""
    film = tmp_path_factory.mktemp("camera") / "film.y4m"
    camera_film(film, model.scenes[0].path)
    options = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]
    everywhere = ["--no-sandbox", "--disable-gpu"]
    browser = playwright().chromium.launch(executable_path=browser_path, args=[*everywhere, *options])
    yield browser
    browser.close()


@dataclass
class Visit:
    """An open page: ``complaints`` of its console and ``strangers``, requests to elsewhere."""

    page: object
    address: str
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def listen(self) -> None:
        page = self.page
        page.on("console", lambda line: line.type in ("error", "warning") and self.complaints.append(line.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: request.url.startswith(self.address) or self.strangers.append(request.url))

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.address}/?token={TOKEN}{query}")
        self.page.wait_for_selector("#model:has-text('px')")

    def captions(self) -> list[str]:
        return self.page.locator("#captions .words").all_inner_texts()

    def boxes(self) -> list[tuple[str, list[float]]]:
        """Caption and box, in shares of the picture, of everything that is drawn."""
        script = "import('/static/showing.js').then(({ tracks }) => tracks.present().map((t) => [t.caption, t.target]))"
        return [(caption, box) for caption, box in self.page.evaluate(script)]

    def lit(self):
        return self.page.evaluate("import('/static/showing.js').then(({ stage }) => stage.lit)")


@pytest.fixture
def visit(chromium, server) -> Iterator:
    """Pages of new visitors; whatever they do, the console stays empty and nothing comes from elsewhere."""
    contexts, visits = [], []

    def make(quiet: bool = True, **options) -> Visit:
        contexts.append(chromium.new_context(ignore_https_errors=True, accept_downloads=True, **options))
        made = Visit(contexts[-1].new_page(), server)
        made.page.set_default_timeout(20_000)
        made.listen()
        visits.append((made, quiet))
        return made

    yield make
    for made, quiet in visits:
        assert made.strangers == []
        assert made.complaints == [] or not quiet
    for context in contexts:
        context.close()


@pytest.fixture
def phone():
    return PHONE


@pytest.fixture
def until():
    """Wait until something is true, with the page's events coming in."""

    def wait(page, condition, seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "that did not come true"
            page.wait_for_timeout(50)

    return wait
