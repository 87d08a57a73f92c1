"""The page in Chromium: scripts run, switches switch, nothing sticks out on a telephone."""

import html
import json
import os
import re
import shutil
import subprocess

import pytest

from densecap.report.page import page
from tests.fakes.evaluation import evaluation

pytestmark = pytest.mark.long

OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=5000",
]

LISTEN = """<script>
window.mistakes = [];
addEventListener("error", (event) => mistakes.push(event.message));
addEventListener("securitypolicyviolation", (event) => mistakes.push(event.violatedDirective));
</script>"""

PROBE = """<script>
const seen = {};
const shot = document.querySelector(".shot");
const line = shot.querySelector("ol li[data-pair]");
const box = shot.querySelector(`g[data-box="${line.dataset.box}"]`);
const pair = shot.querySelector(`g[data-box="${line.dataset.pair}"]`);
const faint = [...shot.querySelectorAll("g.box")].find((other) => other !== box && other !== pair);
const opacity = (node) => { node.style.transition = "none"; return getComputedStyle(node).opacity; };
const point = (node, name) => node.dispatchEvent(new PointerEvent(name, { bubbles: name !== "pointerleave" }));
const state = () => [box, pair, faint].map((node) => Number(opacity(node)));
seen.before = state();
point(line.firstChild, "pointerover");
seen.line = state();
seen.classes = [box.classList.contains("on"), pair.classList.contains("pair"), line.classList.contains("on")];
point(shot, "pointerleave");
seen.left = state();
point(box.querySelector("rect"), "pointerover");
seen.box = [line.classList.contains("on"), ...state()];
line.click();
point(shot, "pointerleave");
seen.kept = state();
line.click();
point(shot, "pointerleave");
seen.released = state();

const shown = (node) => getComputedStyle(node).display !== "none";
const switched = (name, place) => {
  const label = document.querySelector(`label[for="${name}-${place}"]`);
  label.click();
  const tabs = label.closest(".tabs");
  return [...tabs.querySelector(":scope > .panels").children].map(shown);
};
seen.convention = [0, 1, 2].map((place) => switched("convention", place));
seen.meteor = switched("meteor-standard", 5);
document.querySelector('label[for="best-truth"]').click();
seen.only = [shown(shot.querySelector("g.guess")), shown(shot.querySelector("g.truth"))];
seen.pictures = [...document.querySelectorAll("image")].length;
seen.width = [document.documentElement.scrollWidth, innerWidth];
const fetched = performance.getEntriesByType("resource").map((entry) => entry.name);
seen.fetched = fetched.filter((name) => !name.startsWith("data:"));
seen.mistakes = mistakes;
const result = parent.document.createElement("pre");
result.id = "result";
result.textContent = JSON.stringify(seen);
parent.document.body.append(result);
</script></body>"""


@pytest.fixture(scope="module")
def chromium():
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None and os.environ.get("CI_RUN"):
        pytest.fail(f"none of {', '.join(names)} is installed, which .ci/run takes care of")
    if found is None:
        pytest.skip("no Chromium here")
    return found


def opened(chromium, folder, text, width):
    """What ``PROBE`` saw in a frame of ``width`` pixels: windows have a least width, frames have none."""
    text = text.replace("<head>", f"<head>{LISTEN}", 1).replace("</body>", PROBE, 1)
    frame = f'<!DOCTYPE html><body><iframe srcdoc="{html.escape(text)}" style="border:0;width:{width}px;height:900px">'
    (folder / "frame.html").write_text(frame, encoding="utf-8")
    command = [chromium, *OPTIONS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", str(folder / "frame.html")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    result = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, re.DOTALL)
    assert result, f"the page did not get to its end: {done.stderr[-2000:]}"
    return json.loads(html.unescape(result[1]))


@pytest.mark.parametrize("width", [1280, 390])
def test_in_chromium(chromium, tmp_path, width):
    seen = opened(chromium, tmp_path, page(evaluation(16)), width)
    assert seen["mistakes"] == [] and seen["fetched"] == []
    assert seen["before"] == seen["left"] == seen["released"] == [1, 1, 1]
    assert seen["line"] == seen["kept"] == [1, 1, 0.15]
    assert seen["classes"] == [True, True, True]
    assert seen["box"] == [True, 1, 1, 0.15]
    assert seen["convention"] == [[place == shown for place in range(3)] for shown in range(3)]
    assert seen["meteor"] == [False] * 5 + [True]
    assert seen["only"] == [False, True]
    assert seen["pictures"] == 12
    assert seen["width"] == [width, width]
