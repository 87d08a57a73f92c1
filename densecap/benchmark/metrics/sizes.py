"""How much of everything is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from densecap.benchmark.metrics.rows import Effort
from densecap.benchmark.metrics.text import read_phrases
from densecap.errors import UserError


@dataclass(frozen=True)
class Sizes:
    """The options of ``metrics`` in configs/benchmark.yaml, where each is explained."""

    images: tuple[int, ...] = (5000, 40000)
    phrase_pairs: int = 20000
    caption_images: int = 4000
    tokenizer_captions: tuple[int, ...] = (1000, 240000)
    processes: int = 2
    dense_images: int = 5000
    dense_predictions: tuple[int, ...] = (100, 200)
    dense_regions: int = 50
    seconds: float = 20.0
    phrases: str | None = None
    seed: int = 123
    repeats: int = 3

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            numbers = value if isinstance(value, tuple) else [value]
            if field.name != "seed" and any(not isinstance(n, str | None) and n <= 0 for n in numbers) or numbers == ():
                raise UserError(f"metrics.{field.name} must be positive, got {value}")

    @classmethod
    def of(cls, options: Mapping[str, Any], seed: int, repeats: int) -> Sizes:
        """From the configuration; lists may be typed as single numbers."""
        lists = {field.name for field in fields(cls) if isinstance(field.default, tuple)}
        plain: dict[str, Any] = {name: _several(value) if name in lists else value for name, value in options.items()}
        return cls(**plain, seed=seed, repeats=repeats)

    @property
    def effort(self) -> Effort:
        return Effort(self.repeats, self.seconds)

    def given_phrases(self) -> list[str]:
        """The phrases of the file that was named, or none. Errors: UserError when it cannot be read."""
        return read_phrases(Path(self.phrases)) if self.phrases else []


def _several(value: Any) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)
