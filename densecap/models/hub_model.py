"""``from_pretrained``, ``save_pretrained`` and ``push_to_hub``, as models of the Hugging Face hub have them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from densecap.errors import UserError
from densecap.model_folder import folder, hub
from densecap.text.vocabulary import Vocabulary

Model = TypeVar("Model", bound="HubModel")


class HubModel(nn.Module):
    """A model that travels as a folder (``densecap.model_folder``), under the names of ``PyTorchModelHubMixin``.

    ``origin`` is what it is known to come from: its configuration, data, figures; None of a model that was put together
    in Python, which no folder can describe.
    """

    vocabulary: Vocabulary
    origin: Mapping[str, Any] | None = None

    @classmethod
    def from_pretrained(
        cls: type[Model],
        pretrained_model_name_or_path: str | Path,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
    ) -> Model:
        """The model in a folder, a checkpoint, or of the hub by "organisation/name"; ready to predict, on the CPU.

        Errors: UserError when it cannot be had, or is a model of another class.
        """
        name = str(pretrained_model_name_or_path)
        place = Path(name).expanduser()
        if not place.exists() and (hub.is_hub_address(name) or hub.is_hub_name(name)):
            address = hub.parse(name, revision)
            options: dict[str, Any] = {"token": token, "cache_dir": cache_dir, "force_download": force_download}
            place = hub.fetch(*address, local_files_only=local_files_only, **options)
        model = import_module("densecap.checkpoint").load(place).model  # reading is above models
        if not isinstance(model, cls):
            raise UserError(f"{name} is a {type(model).__name__}, not a {cls.__name__}: call that class's method")
        return model

    def save_pretrained(self, save_directory: str | Path, *, licence: str | None = None) -> None:
        """Write the folder; ``licence`` is the identifier that stands in its card, such as "mit".

        Errors: UserError for a model without an ``origin``, or a folder that cannot be written.
        """
        if self.origin is None:
            raise UserError(
                "this model was put together in Python, so there is no configuration to save with it: train it with "
                "train.py, or set model.origin = {'config': ..., 'data_name': ...}"
            )
        known = {**self.origin, **({"licence": licence} if licence else {})}
        place = Path(save_directory).expanduser()
        folder.write_folder(place, self.state_dict(), known, self.vocabulary.words, known.get("trained_on"))

    def push_to_hub(
        self,
        repo_id: str,
        *,
        commit_message: str = "Upload a model of densecap",
        private: bool | None = None,
        token: str | None = None,
        branch: str | None = None,
        create_pr: bool | None = None,
        licence: str | None = None,
    ) -> str:
        """Upload what ``save_pretrained`` writes; returns the address of the commit. Errors: UserError."""
        with tempfile.TemporaryDirectory() as place:
            self.save_pretrained(place, licence=licence)
            return hub.push(Path(place), repo_id, commit_message, private, token, revision=branch, create_pr=create_pr)
