"""The page in Chromium, from a disk and from its own server: what lights up, what is found, keys, touch and links."""

import pytest

from tests.fakes.viewer import (
    APART,
    INNER,
    NASTY,
    OUTER,
    Watched,
    chromium,
    served,
    write_many,
    write_page,
    write_two,
    write_whole,
)

pytestmark = pytest.mark.long

#: A finger on the photo, at x pixels of the window.
TOUCH = """([kind, x]) => {
  const target = document.querySelector(".frame");
  const finger = new Touch({ identifier: 1, target, clientX: x, clientY: 300 });
  const touches = kind === "touchend" ? [] : [finger];
  target.dispatchEvent(new TouchEvent(kind, { bubbles: true, touches, changedTouches: [finger] }));
}"""

#: Controls that a listener would hear no name of.
NAMELESS = """nodes => nodes.filter((node) =>
  !node.textContent.trim() && !node.getAttribute("aria-label") && !node.labels?.length).length"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("viewer")


@pytest.fixture(scope="module")
def one(folder):
    return write_page(folder / "one").as_uri()


@pytest.fixture(scope="module")
def two(folder):
    return write_two(folder / "two").as_uri()


@pytest.fixture(scope="module")
def many(folder):
    with served(write_many(folder / "many")) as address:
        yield address


@pytest.fixture
def watched(browser):
    watched = Watched(browser)
    yield watched
    watched.finish()


@pytest.fixture
def phone(browser):
    watched = Watched(browser, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    yield watched
    watched.finish()


def at(page, box, share=(0.5, 0.5), view=0):
    """Where in the window a point of a box is, in the stage of a file."""
    area = page.locator(".frame").nth(view).bounding_box()
    x, y = (box[side] + share[side] * (box[side + 2] - box[side]) for side in (0, 1))
    return area["x"] + x / 200 * area["width"], area["y"] + y / 100 * area["height"]


def lit(page, view=0):
    """Keys of the boxes, and of the captions, that are lit, and the label."""
    own = page.locator(".view").nth(view)
    keys = [
        own.locator(f"{kind}.on").evaluate_all("nodes => nodes.map(node => node.dataset.key)")
        for kind in ("g.box", "button.caption")
    ]
    label = own.locator(".label")
    return *keys, label.text_content() if label.is_visible() else None


def captions(page, view=0):
    return page.locator(".view").nth(view).locator("button.caption .text").all_text_contents()


def name(page):
    return page.locator("#name").text_content()


def test_the_smallest_box_under_the_pointer_lights_up_with_its_caption(watched, one) -> None:
    page = watched.page
    watched.open(one)
    assert lit(page) == ([], [], None)
    page.mouse.move(*at(page, INNER))
    assert lit(page) == (["0/2"], ["0/2"], "a yellow square 0")
    page.mouse.move(*at(page, OUTER, (0.1, 0.5)))
    assert lit(page) == (["0/0"], ["0/0"], "a red wall 0")
    page.mouse.move(*at(page, [0, 0, 200, 100], (0.6, 0.05)))
    assert lit(page) == ([], [], None)


def test_a_caption_lights_up_its_box(watched, one) -> None:
    page = watched.page
    watched.open(one)
    page.hover('button.caption[data-key="0/1"]')
    assert lit(page)[0] == ["0/1"]
    drawn = page.locator("g.on .line").bounding_box()
    x, y = at(page, APART, (0, 0))
    assert (drawn["x"], drawn["y"]) == pytest.approx((x, y), abs=4)
    page.mouse.move(5, 5)
    assert lit(page) == ([], [], None)


def test_a_click_pins_and_lets_go(watched, one) -> None:
    page = watched.page
    watched.open(one)
    page.mouse.click(*at(page, INNER))
    page.mouse.move(5, 5)
    assert lit(page)[0] == ["0/2"]
    assert page.locator('button.caption[aria-pressed="true"]').get_attribute("data-key") == "0/2"
    page.mouse.move(*at(page, APART))
    assert lit(page)[0] == ["0/1"]  # what is under the pointer comes first
    page.mouse.click(*at(page, INNER))
    page.mouse.move(5, 5)
    assert lit(page)[0] == []
    page.click('button.caption[data-key="0/0"]')
    page.mouse.move(5, 5)
    assert lit(page)[1] == ["0/0"]
    page.keyboard.press("Escape")
    assert lit(page)[1] == [] or page.evaluate("state.pinned") is None


def test_captions_are_searched_and_marked(watched, one) -> None:
    page = watched.page
    watched.open(one)
    page.keyboard.press("/")
    page.keyboard.type("LEFT of")
    watched.until("document.querySelector('#found').textContent === '4 of 5 images · 4 captions'")
    assert page.locator("#views mark").all_text_contents() == ["left of"]
    assert page.locator("#images mark").first.text_content() == "left of"
    assert page.locator("g.hit").evaluate_all("nodes => nodes.map(node => node.dataset.key)") == ["0/1"]
    for query, found in (("red", 3), ("square, red", 3), ("ed", 0), ("squ", 4), ("red left", 0), ("(", 0), ("", 5)):
        page.fill("#query", query)
        watched.until(f"state.found.length === {found} && !state.isSearching")
        assert page.locator("#nothing").is_visible() == (found == 0)
    assert page.locator("#found").text_content() == "5 images"


def test_sliders_choose_regions(watched, one) -> None:
    page = watched.page
    watched.open(one)
    page.locator("#score").focus()
    page.evaluate("byId('score').value = 0.5; byId('score').dispatchEvent(new Event('input'))")
    assert captions(page) == ["a red wall 0", "a blue door to the left of it 0"]
    assert page.locator(".head small").first.text_content() == "2 of 3"
    page.locator("#number").focus()
    page.keyboard.press("Home")
    assert captions(page) == ["a red wall 0"] and page.locator("g.box").count() == 1
    assert name(page) == "0.jpg"  # an arrow or Home moves the slider, not the image
    page.evaluate("byId('score').value = 0.9; byId('score').dispatchEvent(new Event('input'))")
    page.fill("#query", "blue")
    watched.until("state.found.length === 0")  # what is not shown is not found
    page.locator("#reset").click()
    assert len(captions(page)) == 3 and page.locator("#query").input_value() == ""


def test_keys(watched, one) -> None:
    page = watched.page
    press = page.keyboard.press
    watched.open(one)
    seen = []
    for key in ("d", "ArrowRight", "a", "End", "d", "Home", "ArrowLeft"):
        press(key)
        seen.append(name(page))
    assert seen == ["1.jpg", "2.jpg", "1.jpg", "4.jpg", "4.jpg", "0.jpg", "0.jpg"]
    page.wait_for_selector("button.caption")
    pinned = []
    for key in ("s", "ArrowDown", "s", "s", "w"):
        press(key)
        pinned.append(page.evaluate("state.pinned"))
    assert pinned == ["0/0", "0/1", "0/2", "0/0", "0/2"]
    assert page.locator("#said").text_content() == "a yellow square 0"
    press("g")
    assert page.locator("main").is_hidden() and page.locator("button.image").count() == 5
    press("g")
    press("t")
    assert page.locator("#truth").get_attribute("aria-pressed") == "true"
    press("?")
    assert page.locator("#help").is_visible()
    press("d")
    press("Escape")
    assert page.locator("#help").is_hidden() and name(page) == "0.jpg"
    press("r")
    assert page.locator("#truth").get_attribute("aria-pressed") == "false"
    press("Control+d")
    assert name(page) == "0.jpg"


def test_the_truth_is_laid_over(watched, one) -> None:
    page = watched.page
    watched.open(one, "#truth=1")
    assert captions(page)[3:] == ["the true square 0"] and page.locator("g.true").count() == 1
    page.hover('button.caption[data-key="t/0"]')
    assert lit(page) == (["t/0"], ["t/0"], "the true square 0")
    assert page.locator("button.caption.pair").get_attribute("data-key") == "0/2"
    page.keyboard.press("End")
    assert page.locator(".captions").text_content().endswith("no truth about this image")
    page.keyboard.press("t")
    assert page.locator("g.true").count() == 0


def test_two_files_stand_side_by_side(watched, two) -> None:
    page = watched.page
    watched.open(two)
    assert page.locator(".head h2").all_text_contents() == ["first", "second"]
    left, right = (page.locator(".stage").nth(number).bounding_box() for number in (0, 1))
    assert left["y"] == right["y"] and left["x"] + left["width"] < right["x"]
    page.mouse.move(*at(page, INNER))
    assert lit(page)[0] == ["0/2"]
    assert page.locator(".view").nth(1).locator("g.pair").get_attribute("data-key") == "1/0"
    assert page.locator(".label").nth(1).text_content() == "a golden tile"
    page.mouse.move(*at(page, [0, 0, 9, 9], view=1))
    assert lit(page, 1)[2] == "nothing" and page.locator("g.pair").count() == 0
    page.keyboard.press("d")
    assert "this file says nothing about the image" in page.locator(".captions").nth(1).text_content()


def test_captions_of_whole_images(watched, folder) -> None:
    page = watched.page
    watched.open(write_whole(folder / "whole").as_uri())
    assert captions(page) == ["a wall"] and page.locator(".other").all_text_contents() == ["two doors", "art"]
    assert page.locator(".other").first.is_visible() and page.locator("g.box").count() == 0
    assert page.locator("#score-control").is_hidden() and page.locator("#truth").is_hidden()
    page.fill("#query", "doors")
    watched.until("state.found.length === 1 && state.hits.size === 1")
    assert page.locator("#views mark").text_content() == "doors"


def test_a_missing_photo_leaves_its_boxes_and_markup_stays_text(watched, one) -> None:
    page = watched.page
    watched.open(one, "#image=id2")
    assert page.locator(".no-photo").is_visible() and page.locator("g.box").count() == 3
    page.keyboard.press("d")
    assert captions(page)[0] == NASTY
    page.hover("button.caption >> nth=0")
    assert lit(page)[2] == NASTY
    page.fill("#query", "<img")
    watched.until("state.found.length === 1")
    assert page.locator("#views mark").first.text_content().lower() == "img"
    assert page.evaluate("window.harmed") is None
    page.keyboard.press("Enter")
    page.goto(watched.base + "index.html#image=id4")
    watched.until("document.querySelector('.empty')?.textContent === 'no regions were found'")


def test_links_lead_to_what_was_seen(watched, one) -> None:
    page = watched.page
    watched.open(one)
    page.keyboard.press("d")
    page.keyboard.press("t")
    page.click('button.caption[data-key="0/1"]')
    page.evaluate("byId('score').value = 0.5; byId('score').dispatchEvent(new Event('input'))")
    page.fill("#query", "blue, door")
    watched.until("location.hash.includes('q=')")
    address = page.url
    assert address.endswith("#image=id1&q=blue%2C+door&score=0.5&truth=1&region=0%2F1")
    other = page.context.new_page()
    other.goto(address)
    other.wait_for_selector("button.caption.on")
    assert (name(other), lit(other)[0], other.locator("#query").input_value()) == ("1.jpg", ["0/1"], "blue, door")
    other.evaluate("location.hash = '#image=id0&n=1'")
    other.wait_for_selector("#name:text-is('0.jpg')")
    assert captions(other) == ["a red wall 0"]
    other.evaluate("location.hash = '#image=nobody&n=x&score=7&region=<b>&view=no&file=9'")
    other.wait_for_selector("#score-value:text-is('≥ 0.90')")
    assert name(other) == "0.jpg" and other.evaluate("[state.number, state.view, state.file]") == [3, "list", 0]


def test_thousands_of_images_are_never_all_there(watched, many) -> None:
    page = watched.page
    watched.open(many)
    assert page.locator("button.image").count() < 40
    assert page.locator("#found").text_content() == "5,000 images"
    page.wait_for_timeout(300)
    assert len([url for url in watched.fetched if "chunk-" in url]) == 1
    assert len([url for url in watched.fetched if "/thumbnails/" in url]) < 40
    page.evaluate("byId('rows').scrollTop = 1e9")
    page.wait_for_selector("button.image[data-place='4999']")
    assert page.locator("button.image").count() < 40
    watched.until("document.querySelector('button.image[data-place=\"4998\"] small').textContent.includes('4998')")
    page.fill("#query", "zebra")
    watched.until("!state.isSearching && state.found.length === 1")
    watched.until("document.querySelectorAll('#views mark').length === 1")
    assert page.locator("#views mark").text_content() == "Zebra"
    assert len({url for url in watched.fetched if "chunk-" in url}) == 50
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    watched.until("state.found.length === 5000")
    page.keyboard.press("g")
    page.keyboard.press("Home")
    assert page.locator("button.image").count() < 120


def test_on_a_telephone(phone, one) -> None:
    page = phone.page
    phone.open(one)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("#images").is_hidden() and page.locator("#filters").is_hidden()
    tapped = []
    for _ in range(3):
        page.touchscreen.tap(*at(page, INNER))
        tapped.append(page.evaluate("state.pinned"))
    assert tapped == ["0/2", "0/0", None]  # the smallest, the next larger there, none
    page.tap('button.caption[data-key="0/1"]')
    assert lit(page) == (["0/1"], ["0/1"], "a blue door to the left of it 0")
    page.tap("#adjust")
    assert page.locator("#score").is_visible() and page.evaluate("document.documentElement.scrollWidth") == 390
    page.tap("#next")
    assert name(page) == "1.jpg"
    for kind, x in (("touchstart", 300), ("touchend", 100)):
        page.evaluate(TOUCH, [kind, x])
    assert name(page) == "2.jpg"
    page.tap("#grid")
    page.tap("button.image[data-place='0']")
    assert name(page) == "0.jpg" and page.locator("#images").is_hidden()
    small = page.locator("button:visible").evaluate_all("nodes => nodes.filter(node => node.offsetHeight < 36).length")
    assert small == 0


def test_two_files_on_a_telephone_take_turns(phone, two) -> None:
    page = phone.page
    phone.open(two)
    assert [page.locator(".view").nth(number).is_visible() for number in (0, 1)] == [True, False]
    page.tap("#tabs button >> nth=1")
    assert [page.locator(".view").nth(number).is_visible() for number in (0, 1)] == [False, True]
    page.touchscreen.tap(*at(page, INNER, view=1))
    assert lit(page, 1)[2] == "a golden tile"
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_dark_and_light(browser, one) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    seen = {}
    for scheme in ("light", "dark"):
        watched = Watched(browser, color_scheme=scheme)
        watched.open(one)
        seen[scheme] = watched.page.evaluate(paper)
        watched.page.click("#theme")
        seen[f"not {scheme}"] = watched.page.evaluate(paper)
        watched.page.reload()
        assert watched.page.evaluate(paper) == seen[f"not {scheme}"]  # it remembers
        watched.finish()
    assert seen["light"] == seen["not dark"] != seen["dark"] == seen["not light"]


def test_it_is_read_and_used_without_a_pointer(watched, one) -> None:
    """Every control has a name, and the tab key reaches captions, which light up."""
    page = watched.page
    watched.open(one)
    nameless = page.locator("button:visible, input:visible").evaluate_all(NAMELESS)
    assert nameless == 0 and page.locator("html").get_attribute("lang") == "en"
    assert page.locator("button.image[aria-current]").get_attribute("data-place") == "0"
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert lit(page) == (["0/0"], ["0/0"], "a red wall 0")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.key") == "0/1" and lit(page)[0] == ["0/1"]
    page.keyboard.press("Enter")
    page.locator("#query").focus()
    assert lit(page)[0] == ["0/1"] and page.evaluate("state.pinned") == "0/1"


def test_the_server_shows_the_same_under_its_strict_rules(watched, folder, one) -> None:
    with served(folder / "one" / "predictions.json") as address:
        page = watched.page
        watched.open(address)
        page.mouse.move(*at(page, INNER))
        assert lit(page)[2] == "a yellow square 0"
        watched.until("document.querySelector('.frame img').naturalWidth === 200")
        watched.until("[...document.querySelectorAll('img.thumb')].every(image => image.naturalWidth === 200)")
        page.keyboard.press("End")
        page.keyboard.press("Home")
