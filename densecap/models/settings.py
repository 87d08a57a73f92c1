"""Settings of detection that may be changed after training."""

from __future__ import annotations

from dataclasses import dataclass

from densecap.errors import UserError


@dataclass(frozen=True)
class DetectionSettings:
    """How proposals become boxes (DenseCap section 3.2.2 and the released code's test arguments).

    ``proposal_nms_iou`` and ``max_proposals`` act on the region proposal network; ``final_nms_iou``,
    ``score_threshold`` (a probability) and ``max_detections`` on the refined boxes, before any caption is generated.
    An overlap of 1 keeps every box.
    """

    proposal_nms_iou: float = 0.7
    max_proposals: int = 1000
    final_nms_iou: float = 0.3
    max_detections: int | None = None
    score_threshold: float = 0.0

    def __post_init__(self) -> None:
        for name in ("proposal_nms_iou", "final_nms_iou", "score_threshold"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise UserError(f"detection.{name} is a number from 0 to 1, got {value}")
        for name in ("max_proposals", "max_detections"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"detection.{name} is a whole number above 0, got {value}")
