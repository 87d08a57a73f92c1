"""The live page over HTTPS with Chromium's fake camera: captions over frames, flow, mirror, boxes, troubles."""

import io
import json
import time

import pytest
from PIL import Image

pytestmark = pytest.mark.long


# Where the box of a track is drawn, in shares of the picture's width, and the opaque pixels along its left edge.
DRAWN = """(id) => import('/static/showing.js').then(({ stage, tracks }) => {
  const { x, y, width, height } = stage.rectangle(tracks.get(id).box);
  const strip = [x - 4, y, 9, height].map((value) => value * stage.density);
  const pixels = stage.context.getImageData(...strip).data;
  const drawn = pixels.filter((value, index) => index % 4 === 3 && value > 250).length;
  return [(x - stage.place.x) / stage.place.width, width / stage.place.width, drawn];
})"""


class Wire:
    """What goes over a page's WebSocket."""

    def __init__(self, page) -> None:
        self.sent: dict[int, float] = {}
        self.pictures: list[bytes] = []
        self.options: list[dict] = []
        self.answers: list[dict] = []
        self.most = 0  # frames under way at once
        page.on("websocket", self._open)

    def _open(self, socket) -> None:
        self.sent.clear()
        socket.on("framesent", self._sent)
        socket.on("framereceived", self._received)

    def _sent(self, message) -> None:
        if isinstance(message, str):
            self.options.append(json.loads(message))
            return
        self.sent[int.from_bytes(message[:4], "big")] = time.monotonic()
        self.pictures = [*self.pictures[-3:], message[4:]]
        self.most = max(self.most, len(self.sent))

    def _received(self, message) -> None:
        answer = json.loads(message)
        if answer["type"] == "regions":
            for number in [number for number in self.sent if number <= answer["sequence"]]:
                del self.sent[number]
            self.answers.append(answer)


def in_scene(answer):
    """Captions and boxes of a frame, in shares of the scene that is in the middle of the film."""
    left, right = (512 - 384) / 2 / 512, (512 + 384) / 2 / 512
    found = []
    for region in answer["regions"]:
        x1, y1, x2, y2 = region["box"]
        across = [(x / answer["width"] - left) / (right - left) for x in (x1, x2)]
        found.append((region["caption"], (across[0], y1 / answer["height"], across[1], y2 / answer["height"])))
    return found


@pytest.fixture
def live(visit, until):
    """A visitor whose camera was on from the start, and the wire."""

    def start(**options):
        guest = visit(**options)
        wire = Wire(guest.page)
        guest.open("&camera=1")
        until(guest.page, lambda: len(wire.answers) > 5 and guest.captions())
        return guest, wire

    return start


def test_captions_appear_over_the_frames(live, model, until):
    guest, wire = live()
    page = guest.page
    until(page, lambda: len(wire.answers) > 15)
    known = [len(model.scenes[0].true_of(in_scene(answer))) for answer in wire.answers]
    assert sum(known) / len(known) > 2, wire.answers[-1]
    assert set(guest.captions()) & {phrase for phrase, _ in model.scenes[0].truth}
    assert wire.most == 2
    numbers = [answer["sequence"] for answer in wire.answers]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] - numbers[0] - (len(numbers) - 1) == sum(answer["dropped"] for answer in wire.answers[1:])
    assert Image.open(io.BytesIO(wire.pictures[-1])).size == (256, 192)  # as large as the model sees
    until(page, lambda: "frames/s" in page.inner_text("#rate") and " ms" in page.inner_text("#latency"))
    with page.expect_download() as download:
        page.keyboard.press("j")
    kept = json.loads(download.value.path().read_text())
    assert (kept["images"][0]["width"], kept["images"][0]["height"]) == (512, 384)

    page.keyboard.press(" ")
    page.wait_for_selector("#rate:text-is('paused')")
    page.wait_for_timeout(300)
    until(page, lambda: not wire.sent)
    count = len(wire.answers)
    page.wait_for_timeout(400)
    assert len(wire.answers) == count
    page.keyboard.press(" ")
    until(page, lambda: len(wire.answers) > count + 2)
    page.keyboard.press("v")
    page.wait_for_selector("#invitation", state="visible")
    assert not page.evaluate("Boolean(document.getElementById('video').srcObject)")


def test_the_front_camera_is_a_mirror_and_so_are_its_boxes(live, until):
    guest, wire = live()
    page = guest.page
    assert page.locator("#video.mirrored").count() == 1
    page.keyboard.press(" ")  # the frame stands still and is described by itself
    page.wait_for_timeout(300)
    until(page, lambda: not wire.sent)
    page.wait_for_timeout(500)  # boxes are in their places
    answer = wire.answers[-1]
    region = answer["regions"][0]
    x1, _, x2, _ = region["box"]
    left, width, drawn = page.evaluate(DRAWN, region["id"])
    assert left == pytest.approx(1 - x2 / answer["width"], abs=0.01)
    assert width == pytest.approx((x2 - x1) / answer["width"], abs=0.01)
    assert drawn > 50  # pixels along the left edge
    page.keyboard.press("m")
    assert page.locator("#video.mirrored").count() == 0


def test_boxes_drawn_over_the_live_picture(live, until):
    guest, wire = live()
    page = guest.page
    page.keyboard.press("d")
    page.keyboard.press("Enter")
    until(page, lambda: wire.options[-1].get("boxes") and len(wire.answers[-1]["regions"]) == 1)
    (box,) = wire.options[-1]["boxes"]
    assert box == pytest.approx([256 * 0.35, 192 * 0.35, 256 * 0.65, 192 * 0.65], abs=0.01)
    assert wire.answers[-1]["regions"][0]["box"] == pytest.approx(box)
    until(page, lambda: len(guest.captions()) == 1)
    page.keyboard.press("Escape")
    until(page, lambda: wire.options[-1]["boxes"] is None and len(guest.captions()) > 1)


def test_a_lost_connection_is_said_and_taken_up_again(visit, until):
    guest = visit()
    page = guest.page
    connections = []

    def relay(socket):
        connections.append(socket)
        if len(connections) == 1:
            socket.connect_to_server()
        elif len(connections) == 2:
            socket.send(json.dumps({"type": "hello", "protocol": 1, "model": {"name": "x"}, "limits": {}}))
            socket.send(json.dumps({"type": "error", "status": 503, "message": "16 streams are served at once"}))
        else:
            socket.connect_to_server()

    page.route_web_socket("**/v1/stream*", relay)
    guest.open("&camera=1")
    page.wait_for_selector("#captions li")
    connections[0].close()
    page.wait_for_selector("#message:has-text('trying again in 0.5 s')")
    page.wait_for_selector("#message:has-text('16 streams')")
    connections[1].close()
    until(page, lambda: len(connections) == 3 and page.locator("#message").is_hidden() and guest.captions())


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        ("Object.defineProperty(window, 'isSecureContext', { value: false })", "https=auto"),
        (
            "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))",
            "did not allow the camera",
        ),
        (
            "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotFoundError'))",
            "no camera here",
        ),
    ],
)
def test_why_there_is_no_camera_is_said(visit, before, sentence):
    guest = visit()
    guest.page.add_init_script(before)
    guest.open("&camera=1")
    guest.page.wait_for_selector(f"#message:has-text('{sentence}')")
    assert guest.page.locator("#invitation").is_visible()
