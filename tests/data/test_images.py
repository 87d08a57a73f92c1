"""Every kind of image file comes out as the picture a viewer shows."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from densecap.data.images import ImageError, needs_reencoding, read_image
from densecap.data.jpeg_header import read_jpeg_header

HEIGHT, WIDTH = 24, 40


def picture() -> Image.Image:
    """A smooth picture whose left half is reddish and whose right half is bluish, dark at the top."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    red = np.where(columns < WIDTH // 2, 200, 40)
    return Image.fromarray(np.stack([red, rows * 8, 240 - red], axis=-1).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def expected(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def distance(first: torch.Tensor, second: torch.Tensor) -> float:
    assert first.shape == second.shape
    return (first.float() - second.float()).abs().mean().item()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}])
def test_jpeg_gives_the_pixels_of_pillow(options: dict) -> None:
    data = encoded(picture(), "JPEG", **options)
    assert torch.equal(read_image(data), expected(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP"])
def test_other_formats(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    image = read_image(encoded(picture(), kind, **options))
    assert image.dtype == torch.uint8 and image.is_contiguous()
    assert distance(image, expected(picture())) < 8


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_grey_is_copied_to_three_channels(kind: str) -> None:
    image = read_image(encoded(picture().convert("L"), kind))
    assert image.shape == (3, HEIGHT, WIDTH)
    assert torch.equal(image[0], image[1]) and torch.equal(image[1], image[2])


def test_transparency_is_laid_over_white() -> None:
    image = picture().convert("RGBA")
    image.putalpha(Image.fromarray(np.repeat(np.uint8([[0] * 20 + [255] * 20]), HEIGHT, axis=0)))
    pixels = read_image(encoded(image, "PNG"))
    assert (pixels[:, :, :20] == 255).all()
    assert torch.equal(pixels[:, :, 20:], expected(picture())[:, :, 20:])
    half = Image.new("LA", (2, 2), (0, 51))  # black at 20 % is white at 80 %
    assert (read_image(encoded(half, "PNG")) == 204).all()


def test_palette_with_a_transparent_colour() -> None:
    image = Image.new("P", (4, 2), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((0, 0), 0)
    pixels = read_image(encoded(image, "PNG", transparency=0))
    assert pixels[:, 0, 0].tolist() == [255, 255, 255] and pixels[:, 1, 3].tolist() == [40, 50, 60]


def test_cmyk_jpeg() -> None:
    assert distance(read_image(encoded(picture().convert("CMYK"), "JPEG", quality=95)), expected(picture())) < 6


def test_of_sixteen_bits_the_upper_byte_is_kept() -> None:
    grey = np.array([[0, 255, 256], [0x8000, 0x81FF, 0xFFFF]], dtype=np.uint16)
    pixels = read_image(encoded(Image.fromarray(grey), "PNG"))
    assert pixels[0].tolist() == [[0, 0, 1], [128, 129, 255]] and torch.equal(pixels[0], pixels[2])


def test_black_and_white() -> None:
    image = Image.new("1", (3, 2), 1)
    assert (read_image(encoded(image, "PNG")) == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(picture(), kind, exif=exif, **({"quality": 95} if kind == "JPEG" else {}))
    shown = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: a.swapaxes(0, 1)[:, ::-1],
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: a.swapaxes(0, 1)[::-1],
    }[orientation](np.array(picture()))
    assert distance(read_image(data), torch.from_numpy(shown.copy()).permute(2, 0, 1)) < 6
    if kind == "JPEG":
        header = read_jpeg_header(data)
        assert header is not None and header.orientation == orientation
        assert needs_reencoding(data, 1000) == (orientation != 1)


def test_the_header_of_big_endian_exif() -> None:
    tiff = b"MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    data = encoded(picture(), "JPEG", exif=b"Exif\0\0" + tiff)
    header = read_jpeg_header(data)
    assert header is not None and (header.height, header.width, header.orientation) == (HEIGHT, WIDTH, 6)
    assert read_image(data).shape == (3, WIDTH, HEIGHT)


def test_what_may_be_kept_untouched() -> None:
    jpeg = encoded(picture(), "JPEG")
    assert not needs_reencoding(jpeg, WIDTH) and needs_reencoding(jpeg, WIDTH - 1)
    assert not needs_reencoding(encoded(picture().convert("L"), "JPEG"), WIDTH)
    assert needs_reencoding(encoded(picture().convert("CMYK"), "JPEG"), WIDTH)
    assert needs_reencoding(encoded(picture(), "PNG"), WIDTH)
    assert needs_reencoding(jpeg[:20], WIDTH) and needs_reencoding(b"", WIDTH)


def test_unreadable_files_are_named_with_the_reason(tmp_path: Path) -> None:
    jpeg, png = encoded(picture(), "JPEG"), encoded(picture(), "PNG")
    files = {"empty.jpg": b"", "cut.jpg": jpeg[: len(jpeg) // 2], "text.jpg": b"<html>404</html>"}
    files |= {"cut.png": png[: len(png) // 2], "head.jpg": jpeg[:2]}
    files["zeros.jpg"] = jpeg[:200] + bytes(500)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ImageError, match=name.replace(".", r"\.")):
            read_image(tmp_path / name)
    with pytest.raises(ImageError, match=r"absent\.jpg does not exist"):
        read_image(tmp_path / "absent.jpg")
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path)


@pytest.mark.parametrize("cut", range(0, 700, 13))
def test_headers_of_cut_files_never_crash(cut: int) -> None:
    data = encoded(picture(), "JPEG")[:cut]
    read_jpeg_header(data)
    with pytest.raises(ImageError):
        read_image(data)


def test_bytes_that_claim_a_giant_size_are_refused() -> None:
    data = bytearray(encoded(picture(), "PNG"))
    data[16:24] = (60000).to_bytes(4) + (60000).to_bytes(4)
    with pytest.raises(ImageError):
        read_image(bytes(data))


def test_floating_point_pixels_are_refused_with_the_way_out() -> None:
    image = Image.fromarray(np.ones((2, 2), dtype=np.float32))
    with pytest.raises(ImageError, match="save it with 8 or 16 bits"):
        read_image(encoded(image, "TIFF"))
