"""The live page over pictures: chosen, dropped and pasted ones, hover, drawn boxes, files, the token, a phone."""

import base64
import json

import pytest
from PIL import Image

from densecap.prediction.writers import read_predictions
from tests.fakes.trained import overlap

pytestmark = pytest.mark.long

GIVE = """([kind, name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  const options = { bubbles: true, cancelable: true };
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { ...options, clipboardData: transfer })
    : new DragEvent("drop", { ...options, dataTransfer: transfer });
  document.getElementById("stage").dispatchEvent(event);
}"""


def test_chosen_pictures_are_described(visit, model, tmp_path, until):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    guest = visit()
    page = guest.page
    guest.open()
    assert "token" not in page.url
    page.set_input_files("#files", [model.scenes[0].path, broken, model.scenes[1].path])
    page.wait_for_selector("#captions li")
    for index in (0, 1):
        if index:
            page.keyboard.press("ArrowRight")
            page.wait_for_selector("#message:has-text('broken.jpg')")
            page.keyboard.press("ArrowRight")
            page.wait_for_selector("#captions li")
        assert len(model.scenes[index].true_of(guest.boxes())) >= 2, guest.boxes()
    states = page.locator("#strip button").evaluate_all("all => all.map((one) => one.dataset.state)")
    assert states == ["done", "unreadable", "done"]

    page.locator("#number").fill("1")
    until(page, lambda: len(guest.captions()) == 1)
    page.locator("#score").fill("1")
    page.wait_for_selector("#captions-note:has-text('least score')")

    page.locator("#settings-form [type=reset]").click()
    page.wait_for_selector("#captions li:nth-child(2)")
    with page.expect_download() as download:
        page.keyboard.press("j")
    kept = tmp_path / download.value.suggested_filename
    download.value.save_as(kept)
    first, second = read_predictions(kept)
    assert (first.image_id, second.image_id, second.file) == ("1", "2", "2.jpg")
    assert [region.caption for region in second.regions] == guest.captions()
    assert json.loads(kept.read_text())["errors"][0]["file"] == "broken.jpg"
    with page.expect_download() as download:
        page.keyboard.press("s")
    with Image.open(download.value.path()) as picture:
        assert picture.format == "PNG" and max(picture.size) == 1000


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_dropped_and_pasted_pictures_are_described(visit, model, kind):
    guest = visit()
    guest.open()
    data = base64.b64encode(model.scenes[0].path.read_bytes()).decode()
    guest.page.evaluate(GIVE, [kind, "scene.jpg", "image/jpeg", data])
    guest.page.wait_for_selector("#captions li")
    assert model.scenes[0].true_of(guest.boxes())
    guest.page.evaluate(GIVE, [kind, "letter.txt", "text/plain", data])
    guest.page.wait_for_selector("#message:has-text('no picture')")


def test_hover_lights_up_both_ways_and_a_click_stays(visit, model):
    guest = visit()
    page = guest.page
    guest.open()
    page.set_input_files("#files", model.scenes[0].path)
    row = page.locator("#captions li").nth(1)
    row.hover()
    assert guest.lit() == int(row.get_attribute("data-id"))
    page.mouse.move(5, 5)
    assert guest.lit() is None
    x, y = middle_of(page, guest.boxes()[0][1])
    page.mouse.move(x, y)
    lit = page.locator("#captions li.lit")
    assert lit.count() == 1 and guest.lit() == int(lit.get_attribute("data-id"))
    page.mouse.click(x, y)
    page.mouse.move(5, 5)
    assert page.locator("#captions li.lit button[aria-pressed=true]").count() == 1
    page.keyboard.press("Escape")
    assert guest.lit() is None


def middle_of(page, box):
    """The middle of a box in shares of the picture, in pixels of the window."""
    script = """(box) => import('/static/showing.js').then(({ stage }) => {
      const frame = stage.element.getBoundingClientRect(), spot = stage.rectangle(box);
      return [frame.x + spot.x + spot.width / 2, frame.y + spot.y + spot.height / 2];
    })"""
    return page.evaluate(script, box)


def test_drawn_boxes_are_described(visit, model):
    guest = visit()
    page = guest.page
    guest.open()
    page.set_input_files("#files", model.scenes[1].path)
    page.wait_for_selector("#captions li:nth-child(2)")
    phrase, place = model.scenes[1].truth[-1]
    shares = model.scenes[1].shares(place)
    corners = [middle_of(page, [x, y, x, y]) for x, y in (shares[:2], shares[2:])]
    page.keyboard.press("d")
    with page.expect_request("**/v1/predict*") as request:
        page.mouse.move(*corners[0])
        page.mouse.down()
        page.mouse.move(*corners[1], steps=3)
        page.mouse.up()
    assert "boxes=" in request.value.url
    page.wait_for_selector("#count:text-is('1')")
    ((caption, box),) = guest.boxes()
    assert overlap(box, shares) > 0.9
    assert phrase.split()[-1] in caption  # the shape itself
    page.keyboard.press("Enter")  # on the stage: a box in the middle, without a mouse
    page.wait_for_selector("#count:text-is('2')")
    page.keyboard.press("Escape")
    page.wait_for_selector("#captions li:nth-child(3)")


def test_token_is_asked_for_and_kept_in_the_tab(visit, model):
    guest = visit(quiet=False)  # refused requests are in the console
    page = guest.page
    page.goto(guest.address)
    page.fill("#token", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#token-text:has-text('not the one')")
    page.fill("#token", "let me in")
    page.keyboard.press("Enter")
    page.wait_for_selector("#model:has-text('px')")
    page.set_input_files("#files", model.scenes[0].path)
    page.wait_for_selector("#captions li")
    page.reload()
    page.wait_for_selector("#model:has-text('px')")
    assert not page.locator("#token-dialog").is_visible()
    assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [1, 0, ""]


def test_on_a_phone(visit, model, phone):
    guest = visit(**phone)
    page = guest.page
    guest.open()
    assert page.locator("#invitation [data-action=photo]").is_visible()
    assert page.locator("#shutter").get_attribute("capture") == "environment"
    page.set_input_files("#shutter", model.scenes[0].path)
    page.locator("#captions li button").nth(1).tap()
    assert guest.lit() == int(page.locator("#captions li").nth(1).get_attribute("data-id"))
    assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [390, 390]
    heights = page.locator("button:visible").evaluate_all("all => all.map((one) => one.offsetHeight)")
    assert min(heights) >= 38  # pixels that a finger hits


def test_a_caption_of_the_whole_picture_stands_below_it(visit, model):
    """As models for whole images answer: one region, which is the picture."""
    guest = visit()
    page = guest.page
    region = {"box": [0, 0, 256, 256], "score": 1.0, "caption": "coloured shapes", "log_prob": -1.0}
    image = {"image_id": "1", "file": "1.jpg", "width": 256, "height": 256, "regions": [region]}
    facts = {"name": "mrnn", "config": {"image_size": 224}, "finds_boxes": False, "limits": {}}
    page.route("**/v1/model", lambda route: route.fulfill(json=facts))
    page.route("**/v1/predict*", lambda route: route.fulfill(json={"version": 1, "images": [image], "errors": []}))
    guest.open()
    assert page.locator("#score").is_hidden() and page.locator("#beam").is_visible()
    page.set_input_files("#files", model.scenes[0].path)
    page.wait_for_selector("#whole:has-text('coloured shapes')")
    empty = "import('/static/showing.js').then(({ stage }) => stage.boxes().length)"
    assert page.evaluate(empty) == 0 and guest.captions() == ["coloured shapes"]
