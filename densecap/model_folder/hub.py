"""Models on the Hugging Face hub: ``hf://organisation/name`` or ``hf://organisation/name@revision``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from densecap.errors import UserError
from densecap.model_folder.layout import CONFIG, FILES, WEIGHTS

#: A path that was tidied up has one slash only.
_ADDRESS = re.compile(r"(?:hf:/{1,2})?(?P<name>[^/@\s]+/[^/@\s]+)(?:@(?P<revision>\S+))?/?")
_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def is_hub_address(name: str | Path) -> bool:
    return str(name).startswith("hf:/")


def is_hub_name(name: str) -> bool:
    """Whether it is of the form organisation/name."""
    return _NAME.fullmatch(name) is not None


def endpoint() -> str | None:
    """The address of another hub, from HF_ENDPOINT; None is the public one."""
    return os.environ.get("HF_ENDPOINT") or None


def parse(address: str | Path, revision: str | None = None) -> tuple[str, str | None]:
    """Name and revision of ``hf://organisation/name[@revision]``, or of the name alone. Errors: UserError."""
    match = _ADDRESS.fullmatch(str(address))
    if match is None:
        raise UserError(f"{address} is no address of the hub: those are hf://ORGANISATION/NAME[@REVISION]")
    return match["name"], revision or match["revision"]


def fetched(address: str | Path) -> Path:
    """The folder in which a model of the hub lies, fetched when it is not there yet.

    Errors: UserError for an address that is none, or a model that cannot be had.
    """
    return fetch(*parse(address))


def fetch(name: str, revision: str | None = None, **options: Any) -> Path:
    """The folder of the model ``name``, of which nothing but the files of ``layout`` are fetched.

    ``options`` as ``huggingface_hub.snapshot_download`` takes them: ``token``, ``cache_dir``, ``force_download``,
    ``local_files_only``. Errors: UserError.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    where = name if revision is None else f"{name}@{revision}"
    try:
        options = {"endpoint": endpoint(), **options}
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=list(FILES), **options))
    except HFValidationError as error:
        raise UserError(f"{name} is no name of a model on the hub: those are ORGANISATION/NAME") from error
    except LocalEntryNotFoundError as error:
        raise UserError(
            f"{where} is not among the models fetched before, and the hub cannot be reached: {_reason(error)}"
        ) from error
    except HfHubHTTPError as error:
        raise UserError(f"{where} cannot be fetched from the hub: {_reason(error)}") from error
    except OSError as error:
        raise UserError(f"{where} cannot be fetched from the hub: {_reason(error)}") from error
    for needed in (CONFIG, WEIGHTS):
        if not (folder / needed).is_file():
            raise UserError(f"{where} is no model of densecap: it has no {needed}")
    return folder


def push(folder: Path, name: str, commit_message: str, private: bool | None, token: Any, **options: Any) -> str:
    """Upload a model's folder, into a repository that is made when it is not there; returns the address of the commit.

    ``options`` as ``HfApi.upload_folder`` takes them. Errors: UserError.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        api = HfApi(endpoint=endpoint(), token=token)
        made = api.create_repo(name, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=made.repo_id,
            folder_path=folder,
            commit_message=commit_message,
            allow_patterns=list(FILES),
            **options,
        )
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise UserError(f"{name} cannot be written on the hub: {_reason(error)}") from error
    return str(getattr(done, "commit_url", done))


def _reason(error: BaseException) -> str:
    return " ".join((str(error).strip().splitlines() or [type(error).__name__])[0].split())[:160]
