"""What a run of predict came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Outcome:
    """``images`` described by this process; ``earlier`` were found done, ``shared`` of them by processes of this run.

    ``stopped`` is "interrupt" after Ctrl-C, "pipe" when the reader of our output went away.
    """

    images: int = 0
    earlier: int = 0
    shared: int = 0
    regions: int = 0
    seconds: float = 0.0
    errors: list[dict[str, str]] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("decode", "caption", "draw", "write"), 0.0))
    complete: bool = False
    stopped: str = ""

    @property
    def described(self) -> int:
        """Images that this run described, with all its processes."""
        return self.images + self.shared

    @property
    def taken_over(self) -> int:
        """Images that runs before this one described."""
        return self.earlier - self.shared

    @property
    def is_worth_writing(self) -> bool:
        """Whether there is anything to say; else files of an earlier run are better left alone."""
        return bool(self.images or self.earlier or self.complete or self.stopped)

    def to_json(self) -> dict[str, Any]:
        """The fields of predictions.json that are known at the end."""
        timing = {
            "images": self.described,
            **({"earlier": self.taken_over} if self.taken_over else {}),
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.described / self.seconds, 3) if self.seconds else 0.0,
            "stages": {name: round(seconds, 3) for name, seconds in self.stages.items()},
        }
        return {"complete": self.complete, "errors": self.errors, "timing": timing}
