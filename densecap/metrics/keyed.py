"""A torchmetrics base whose state is one plain record per image, so that every image counts once.

Samplers of several processes repeat images to even out their shares, and a sum cannot be mended afterwards. Here each
process keeps a dictionary of image id to record (numbers or numpy arrays, in places strings); to synchronise, the
dictionaries are gathered as objects and joined. Any process may hold any number of images, also none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed
from torch import Tensor
from torchmetrics import Metric

from densecap.metrics.examined import Examined


class KeyedMetric(Metric):
    """Base of the metrics in ``densecap.metrics.modules``; call ``update`` with image ids, then ``compute``.

    A second record for an image id that is there already is dropped. Images are taken in order of their ids (as text),
    so figures do not depend on the number of processes. Results are float64 scalars, float32 where a device has none.
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better: bool | None = True
    #: Name of the one figure to look at: what ``compute`` gives, or one of its dictionary.
    figure = ""
    #: Whether it judges boxes that a model finds, so that it means nothing for one that finds none.
    judges_boxes = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.records: dict[str, Any] = {}

    def add(self, image_id: object, record: Any) -> None:
        """Keep the record of an image unless there is one."""
        self.records.setdefault(str(image_id), record)

    def ordered(self) -> list[Any]:
        """All records, by image id."""
        return [self.records[key] for key in sorted(self.records)]

    def scalar(self, value: float) -> Tensor:
        exact = torch.float32 if self.device.type == "mps" else torch.float64
        return torch.tensor(value, dtype=exact, device=self.device)

    def take(self, image: Examined) -> None:
        """Add one image with whatever this metric wants to know of it."""
        raise NotImplementedError

    def problem(self) -> str | None:
        """Why this machine cannot compute the figures, in a sentence; None when it can."""
        return None

    def without_words(self) -> KeyedMetric | None:
        """A metric of the figures that remain where words cannot be compared (METEOR is missing); None for none."""
        return None

    def summary(self) -> dict[str, float]:
        """The figures that are worth following during training, by the names they are reported under."""
        return {
            name: float(value) for name, value in self._named(self.compute()).items() if self.is_worth_following(name)
        }

    def names(self) -> list[str]:
        """The names of the figures that ``summary`` gives."""
        return [name for name in self._named(type(self).compute(self)) if self.is_worth_following(name)]

    def is_worth_following(self, name: str) -> bool:
        """Whether a figure belongs into the summary."""
        return True

    def _named(self, value: Any) -> dict[str, Any]:
        return value if isinstance(value, dict) else {self.figure: value}

    def prepare(self) -> None:
        """Work on this process's own records before they are gathered; by default none."""

    # What torchmetrics does with states made by ``add_state``, for the dictionary.

    @property
    def metric_state(self) -> dict[str, Any]:
        return {"records": self.records}

    def reset(self) -> None:
        super().reset()
        self.records = {}

    def sync(self, *args: Any, **kwargs: Any) -> None:
        self.prepare()
        super().sync(*args, **kwargs)

    def merge_state(self, incoming_state: dict[str, Any] | Metric) -> None:
        super().merge_state(incoming_state)
        self._computed = None

    def _copy_state_dict(self) -> dict[str, Any]:
        return {"records": dict(self.records)}

    def _reduce_states(self, incoming_state: dict[str, Any]) -> None:
        self.records = {**self.records, **incoming_state["records"]}

    def _sync_dist(self, dist_sync_fn: Callable | None = None, process_group: Any | None = None) -> None:
        group = process_group or self.process_group
        parts: list[Any] = [None] * torch.distributed.get_world_size(group)
        torch.distributed.all_gather_object(parts, self.records, group=group)
        self.records = {key: record for part in reversed(parts) for key, record in part.items()}
