"""What ``model.compat=densecap2016`` changes: the one list of the original's accidents.

======================== ================================== ======================================================
field                    default                            densecap2016 (the Lua code at commit 7c32170)
======================== ================================== ======================================================
caffe_pixels             RGB, the backbone's own statistics BGR, 0..255, minus (103.939, 116.779, 123.68)
resize_filter            antialiased bilinear, rounded size Torch7 box averaging, sizes truncated
rounded_boxes            truth boxes scaled exactly         counted from 1, rounded to resized pixels, clamped
biased_overlap           true IoU in the sampler; a forced  intersections lose a pixel; a forced box belongs to the
                         box belongs to its own truth       truth it overlaps most
clip_training            boxes clipped as in testing        unclipped; those that leave the image are not sampled
clip_loses_pixel         clipping changes nothing inside    every clipped box loses a pixel of width and height
misregistered_pooling    pooling and anchors agree          sizes over H but centres over H - 1, zeros outside
clip_final               final boxes are clipped            unclipped
======================== ================================== ======================================================

The original's "+1" NMS on inclusive pixels counted from 1 is plain IoU on our continuous corners, so nothing has to be
switched for it (``tests/ops/test_nms.py`` shows this with the original's own vectors).
"""

from __future__ import annotations

from dataclasses import dataclass

from densecap.errors import UserError


@dataclass(frozen=True)
class Conventions:
    """One switch for each accident in the table above."""

    caffe_pixels: bool = False
    resize_filter: str = "antialias"
    rounded_boxes: bool = False
    biased_overlap: bool = False
    clip_training: bool = True
    clip_loses_pixel: bool = False
    misregistered_pooling: bool = False
    clip_final: bool = True


CONVENTIONS: dict[str | None, Conventions] = {
    None: Conventions(),
    "densecap2016": Conventions(
        caffe_pixels=True,
        resize_filter="densecap2016",
        rounded_boxes=True,
        biased_overlap=True,
        clip_training=False,
        clip_loses_pixel=True,
        misregistered_pooling=True,
        clip_final=False,
    ),
}


def conventions_of(compat: str | None) -> Conventions:
    """The conventions of ``model.compat``; errors: UserError for a name that does not exist."""
    if compat not in CONVENTIONS:
        raise UserError(f"model.compat is null or densecap2016, got {compat}")
    return CONVENTIONS[compat]
