"""Photos: found where they lie, and as browsers show them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densecap.data.images import ImageError
from densecap.viewer.photos import THUMBNAIL_SIDE, PhotoFinder, PhotoOnDisk, size_of, thumbnail, web_picture


def _photo(path: Path, size=(60, 40), **options) -> Path:
    """Left half red, right half blue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    image.save(path, **options)
    return path


def _decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def test_a_photo_is_found_by_its_path_or_beside_the_predictions(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    photo = _photo(tmp_path / "photos" / "a.jpg")
    finder = PhotoFinder(tmp_path / "out")
    assert finder.find(str(photo), None) == PhotoOnDisk(photo)
    assert finder.find("photos/a.jpg", "a") == PhotoOnDisk(Path("photos/a.jpg"))
    assert PhotoFinder(tmp_path / "photos").find("a.jpg", None) == PhotoOnDisk(tmp_path / "photos" / "a.jpg")
    for name in ("b.jpg", "photos", "a\0.jpg", "x" * 5000, "", None, "https://example.org/a.jpg"):
        assert finder.find(name, "a") is None


def test_in_another_folder_the_end_of_the_path_counts_then_the_name(tmp_path) -> None:
    right = _photo(tmp_path / "moved" / "VG_100K" / "1.jpg")
    wrong = _photo(tmp_path / "moved" / "AAA" / "1.jpg")
    deep = _photo(tmp_path / "moved" / "deep" / "er" / "2.jpg")
    finder = PhotoFinder(tmp_path, tmp_path / "moved")
    assert finder.find("/old/place/VG_100K/1.jpg", None) == PhotoOnDisk(right)
    assert finder.find("C:\\old\\VG_100K\\1.jpg", None) == PhotoOnDisk(right)
    assert finder.find("1.jpg", None) == PhotoOnDisk(wrong)  # the first of that name
    assert finder.find("../../2.jpg", None) == PhotoOnDisk(deep)
    assert finder.find("3.jpg", None) is None


def test_coco_knows_numbers_alone(tmp_path) -> None:
    photo = _photo(tmp_path / "val" / "000000000139.jpg")
    old = _photo(tmp_path / "val" / "COCO_val2014_000000000042.jpg")
    finder = PhotoFinder(tmp_path, tmp_path)
    assert finder.find(None, "139") == PhotoOnDisk(photo)
    assert finder.find(None, "42") == PhotoOnDisk(old)
    assert finder.find(None, "7") is None and finder.find(None, None) is None
    assert PhotoFinder(tmp_path).find(None, "139") is None


@pytest.mark.parametrize(("name", "media"), [("a.jpg", "image/jpeg"), ("a.png", "image/png"), ("a.webp", "image/webp")])
def test_what_browsers_show_is_left_as_it_is(name, media, tmp_path) -> None:
    photo = PhotoOnDisk(_photo(tmp_path / name))
    assert web_picture(photo, 60) == (photo.path.read_bytes(), Path(name).suffix, media)
    assert web_picture(photo, None)[0] == photo.path.read_bytes()


def test_what_browsers_do_not_show_or_is_too_large_becomes_a_jpeg(tmp_path) -> None:
    for name, longest, size in (("a.tif", None, (60, 40)), ("b.bmp", 30, (30, 20)), ("c.png", 59, (59, 39))):
        data, ending, media = web_picture(PhotoOnDisk(_photo(tmp_path / name)), longest)
        pixels = _decoded(data)
        assert (ending, media, pixels.shape) == (".jpg", "image/jpeg", (size[1], size[0], 3))
        assert (abs(pixels[5, 5] - [255, 0, 0]) < 12).all() and (abs(pixels[5, -5] - [0, 0, 255]) < 12).all()


def test_only_the_first_picture_of_an_animation_is_shown(tmp_path) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    data, ending, _ = web_picture(PhotoOnDisk(tmp_path / "a.gif"), None)
    assert ending == ".jpg" and (abs(_decoded(data)[10, 10] - [255, 0, 0]) < 12).all()


def test_a_turned_photo_is_upright_in_every_form(tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn to the right: red is on top
    photo = PhotoOnDisk(_photo(tmp_path / "a.jpg", (800, 400), exif=exif, quality=95))
    assert size_of(photo) == (400, 800)
    small = _decoded(thumbnail(photo))
    assert small.shape == (THUMBNAIL_SIDE, THUMBNAIL_SIDE // 2, 3)
    assert (abs(small[5, 60] - [255, 0, 0]) < 12).all() and (abs(small[-5, 60] - [0, 0, 255]) < 12).all()
    assert _decoded(web_picture(photo, 200)[0]).shape == (200, 100, 3)


def test_what_is_no_photo_is_refused(tmp_path) -> None:
    (tmp_path / "secret.jpg").write_text("root:x:0:0")
    whole = _photo(tmp_path / "whole.jpg", (800, 800)).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    for work in (lambda photo: web_picture(photo, None), size_of, thumbnail):
        for name in ("secret.jpg", "missing.jpg"):
            with pytest.raises(ImageError):
                work(PhotoOnDisk(tmp_path / name))
    with pytest.raises(ImageError, match="damaged"):
        thumbnail(PhotoOnDisk(tmp_path / "cut.jpg"))
