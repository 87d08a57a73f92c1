"""Pictures with captions: everything visible, nothing crashes."""

import random

import pytest
import torch
from PIL import Image, ImageChops

from densecap.prediction.drawing import contact_sheet, draw_regions, image_from_tensor
from densecap.prediction.lettering import choose_font, readable, wrap
from densecap.prediction.placement import overlap_area, place_label
from densecap.structures import RegionPrediction


def region(box: tuple[float, float, float, float], caption: str = "a red circle") -> RegionPrediction:
    return RegionPrediction(box, 0.9, caption, -1.0)


def changed(before: Image.Image, after: Image.Image) -> tuple[int, int, int, int] | None:
    return ImageChops.difference(before, after).getbbox()


def test_outline_and_label_are_drawn_on_a_copy() -> None:
    image = Image.new("RGB", (600, 500), "white")
    drawn = draw_regions(image, [region((100, 200, 300, 400))])
    assert image.getcolors() == [(600 * 500, (255, 255, 255))]
    assert drawn.size == image.size
    assert drawn.getpixel((100, 300)) == drawn.getpixel((299, 300)) == drawn.getpixel((200, 400)) == (0xE6, 0x19, 0x4B)
    assert drawn.getpixel((200, 300)) == (255, 255, 255)  # the inside of the box stays visible
    left, top, right, bottom = changed(image, drawn) or (0, 0, 0, 0)
    assert (
        80 <= left <= 100
        and 160 <= top < 199
        and right == pytest.approx(301, abs=2)
        and bottom == pytest.approx(401, abs=2)
    )


def test_small_pictures_are_enlarged_with_their_boxes() -> None:
    drawn = draw_regions(Image.new("RGB", (256, 200), "white"), [region((50, 60, 90, 100), "")], scale=3)
    assert drawn.size == (768, 600)
    assert drawn.getpixel((150, 240)) == (0xE6, 0x19, 0x4B)
    assert draw_regions(Image.new("RGB", (100, 50)), []).size == (500, 250)
    assert draw_regions(Image.new("RGB", (1000, 50)), []).size == (1000, 50)


def test_num_to_draw_takes_the_first() -> None:
    image = Image.new("RGB", (600, 600), "white")
    regions = [region((10, 100, 60, 150), ""), region((400, 400, 500, 500), "")]
    assert changed(draw_regions(image, regions[:1]), draw_regions(image, regions, num_to_draw=1)) is None
    assert changed(image, draw_regions(image, regions, num_to_draw=0)) is None


@pytest.mark.parametrize(
    "caption",
    [
        "",
        "   ",
        "x" * 300,
        "word " * 200,
        "красный круг",
        "赤い丸",
        "دائرة حمراء",
        "été à l'œil",
        "tab\tand\nline\x00",
        "🎈 balloon",
        "\udce9",
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (20, 30), (640, 48)])
def test_any_caption_on_any_picture(caption: str, size: tuple[int, int]) -> None:
    boxes = [(0.0, 0.0, float(size[0]), float(size[1])), (-50.0, -50.0, 9000.0, 0.5), (5.0, 5.0, 5.0, 5.0)]
    draw_regions(Image.new("L", size), [region(box, caption) for box in boxes])
    draw_regions(Image.new("RGBA", size), [region((float("nan"), 0, 1, 1)), region((8, 8, 2, 2), caption)], scale=1)


def test_labels_do_not_overlap_while_there_is_room() -> None:
    random.seed(0)
    picture, size = (800, 600), (180, 24)
    boxes = [(x, y, x + 60, y + 60) for x, y in ((random.randint(0, 740), random.randint(0, 540)) for _ in range(30))]
    placed: list[tuple[float, float, float, float]] = []
    for box in boxes:
        label = place_label(box, size, picture, boxes, placed)
        assert label[0] >= 0 and label[1] >= 0 and label[2] <= picture[0] and label[3] <= picture[1]
        assert all(overlap_area(label, other) == 0 for other in placed)
        placed.append(label)


def test_a_lone_label_sits_on_top_of_its_box_and_moves_where_that_is_outside() -> None:
    assert place_label((100, 100, 200, 200), (50, 20), (400, 400), [(100, 100, 200, 200)], []) == (100, 80, 150, 100)
    below = place_label((100, 5, 140, 45), (50, 20), (400, 400), [(100, 5, 140, 45)], [])
    assert below == (100, 45, 150, 65)


def test_wrapping_breaks_between_words_and_marks_what_is_cut() -> None:
    font, text = choose_font("a large striped red circle to the left of a green triangle", 20)
    lines = wrap(text, font, 150, max_lines=10)
    assert " ".join(lines) == text and all(font.getlength(line) <= 150 for line in lines)
    cut = wrap(text, font, 150, max_lines=2)
    assert len(cut) == 2 and cut[1].endswith("...") and font.getlength(cut[1]) <= 150
    assert "".join(wrap("x" * 100, font, 150, max_lines=99)) == "x" * 100


def test_accents_are_dropped_where_no_font_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("densecap.prediction.lettering.WIDER_FONTS", ())
    assert choose_font("un été", 20)[1] == "un ete"
    assert readable("a\tb\n c\x00") == "a b c"


def test_contact_sheet_holds_every_picture() -> None:
    colours = ["red", "green", "blue", "black", "gray"]
    sheet = contact_sheet([Image.new("RGB", (30, 20), colour) for colour in colours], columns=2, gap=5)
    assert sheet.size == (2 * 35 + 5, 3 * 25 + 5)
    counts = {colour: count for count, colour in sheet.getcolors() or []}
    assert [counts[Image.new("RGB", (1, 1), colour).getpixel((0, 0))] for colour in colours] == [600] * 5
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])


def test_image_from_tensor_keeps_rows_columns_and_channels() -> None:
    tensor = torch.zeros(3, 4, 6, dtype=torch.uint8)
    tensor[0, 1, 5] = 200
    image = image_from_tensor(tensor)
    assert image.size == (6, 4) and image.getpixel((5, 1)) == (200, 0, 0)
