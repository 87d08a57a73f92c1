"""Exported pages of the viewer about images whose boxes and captions are known, and a browser that watches itself."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from densecap.viewer import export_viewer
from densecap.viewer.collection import collect
from densecap.viewer.serving import ViewerServer
from densecap.viewer.site import Site
from densecap.viewer.truths import TruthsOfFile
from tests.fakes import split as fakes
from tests.fakes.browser import playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

#: Two boxes, the second within the first, and one apart, in an image of 200 x 100 pixels.
OUTER, INNER, APART = [10, 10, 110, 90], [40, 30, 80, 70], [130, 20, 190, 80]

#: A caption that would run if it ever became markup.
NASTY = "<img src=x onerror=\"window.harmed=1\"><script>window.harmed=1</script> & 'co'"


def region(box: list, score: float, caption: str, **more) -> dict:
    return {"box": box, "score": score, "caption": caption, "log_prob": -1.0, **more}


def entry(number: int, regions: list[dict], photo: bool = True, size=(200, 100)) -> dict:
    file = f"{number}.jpg" if photo else f"gone/{number}.jpg"
    return {"image_id": f"id{number}", "file": file, "width": size[0], "height": size[1], "regions": regions}


def draw_photo(path: Path, size=(200, 100)) -> None:
    picture = Image.new("RGB", size, "#dce3ea")
    draw = ImageDraw.Draw(picture)
    for box, colour in ((OUTER, "#b04a3c"), (INNER, "#f0c04a"), (APART, "#3f7fb0")):
        draw.rectangle(box, fill=colour)
    picture.save(path, quality=90)


def boxes(number: int) -> list[dict]:
    """The three regions of image ``number``, which name it."""
    return [
        region(OUTER, 0.9, f"a red wall {number}"),
        region(APART, 0.6, f"a blue door to the left of it {number}"),
        region(INNER, 0.3, f"a yellow square {number}"),
    ]


def write_page(folder: Path) -> Path:
    """Five images and a truth; the third has no photo, the fourth a caption that would do harm, the fifth no region."""
    folder.mkdir(parents=True)
    images = [entry(number, boxes(number), photo=number != 2) for number in range(5)]
    images[3]["regions"][0]["caption"] = NASTY
    images[4]["regions"] = []
    for number in (0, 1, 3, 4):
        draw_photo(folder / f"{number}.jpg")
    truth = [entry(number, [region(INNER, 1, f"the true square {number}")]) for number in (0, 1)]
    path = fakes.write_own(folder / "predictions.json", images)
    known = TruthsOfFile(fakes.write_own(folder / "truth.json", truth))
    return export_viewer([path], folder / "page", truth=known)


def write_two(folder: Path) -> Path:
    """Two files about two images; the second file's inner box is a little off, and it has no second image."""
    for name in ("first", "second"):
        (folder / name).mkdir(parents=True)
    for number in (0, 1):
        draw_photo(folder / "first" / f"{number}.jpg")
    first = fakes.write_own(folder / "first" / "predictions.json", [entry(number, boxes(number)) for number in (0, 1)])
    near = [INNER[0] + 2, *INNER[1:]]
    other = [region(near, 0.8, "a golden tile"), region([0, 0, 9, 9], 0.2, "nothing")]
    second = fakes.write_own(folder / "second" / "predictions.json", [entry(0, other)])
    return export_viewer([first, second], folder / "page")


def write_whole(folder: Path) -> Path:
    """Captions of a whole image, three of them."""
    folder.mkdir(parents=True)
    draw_photo(folder / "0.jpg")
    several = [{"caption": text, "log_prob": -1.0, "token_log_probs": []} for text in ("a wall", "two doors", "art")]
    images = [entry(0, [region([0, 0, 200, 100], 1.0, "a wall", captions=several)])]
    return export_viewer([fakes.write_own(folder / "predictions.json", images)], folder / "page")


def write_many(folder: Path, number: int = 5000) -> Path:
    """Predictions for so many images, all of one photo; the last alone has a zebra."""
    folder.mkdir(parents=True)
    draw_photo(folder / "0.jpg")
    images = [{**entry(index, boxes(index)), "file": "0.jpg"} for index in range(number)]
    images[-1]["regions"][2]["caption"] = "a Zebra, striped"
    return fakes.write_own(folder / "predictions.json", images)


@contextmanager
def served(predictions: Path) -> Iterator[str]:
    """The address of the page about a file, shown by the viewer's own server."""
    with ViewerServer(Site(collect([predictions])), port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


@contextmanager
def chromium() -> Iterator:
    """A browser; tests are skipped where there is none, unless all of them are asked for."""
    if CHROMIUM is None and not os.environ.get("CI_RUN"):
        pytest.skip("needs chromium")
    browser = playwright().chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
    yield browser
    browser.close()


class Watched:
    """A page in a browser that notes its mistakes and what it fetches; ``finish`` checks both."""

    def __init__(self, browser, **options) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        self.page = self.context.new_page()
        self.mistakes: list[str] = []
        self.fetched: list[str] = []
        self.page.on("console", lambda message: message.type in ("error", "warning") and self.note(message.text))
        self.page.on("pageerror", lambda error: self.note(str(error)))
        self.page.on("dialog", lambda dialog: (self.note(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("request", lambda request: self.fetched.append(request.url))

    def note(self, text: str) -> None:
        self.mistakes.append(text)

    def open(self, address: str, hash_: str = "") -> None:
        """Go to a page, and wait until its captions are there."""
        self.base = address.rpartition("/")[0] + "/"
        self.page.goto(address + hash_)
        self.page.wait_for_selector("button.caption, .empty")

    def until(self, expression: str, seconds: float = 20) -> None:
        """Wait until a JavaScript expression is true. Playwright's own way breaks the server's rules for scripts."""
        end = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < end, f"never came true: {expression}"
            self.page.wait_for_timeout(20)

    def finish(self) -> None:
        assert self.mistakes == []
        assert [url for url in self.fetched if not url.startswith(self.base)] == []
        self.context.close()
