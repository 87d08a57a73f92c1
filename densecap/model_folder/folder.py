"""Reading and writing a model's folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from densecap.errors import UserError
from densecap.model_folder.description import check_description, portable_config
from densecap.model_folder.layout import CARD, CONFIG, FORMAT, MAX_JSON, TRAINING_IMAGES, VOCABULARY, WEIGHTS, folder_of
from densecap.model_folder.model_card import card_text
from densecap.model_folder.tensors import read_tensors, write_tensors
from densecap.structures import CHECKPOINT_VERSION

#: What is kept of a model's description beside its configuration, where it is known.
KNOWN = ("source", "training", "figures", "reports", "licence")


def read_folder(path: Path) -> dict[str, Any]:
    """The content of a folder as that of a checkpoint; errors: UserError for what is missing, damaged or not ours."""
    folder = folder_of(path)
    own = read_description(folder)
    content = {"state_dict": read_tensors(folder / WEIGHTS), "densecap": own}
    if (folder / TRAINING_IMAGES).is_file():
        content["CaptioningDataModule"] = read_tensors(folder / TRAINING_IMAGES)
    content["state_dict"] = {f"model.{name}": value for name, value in content["state_dict"].items()}
    return content


def read_description(folder: Path) -> dict[str, Any]:
    """What config.json and vocabulary.json say, as a checkpoint has it under ``densecap``; errors: UserError."""
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}")
    own = read_json(folder / CONFIG)
    if own.get("format") != FORMAT:
        raise UserError(f"{folder / CONFIG} describes no model of densecap")
    own = {**own, "words": read_json(folder / VOCABULARY).get("words")}
    check_description(own, folder)
    return own


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; errors: UserError when it is missing, too large, damaged or no object."""
    try:
        if path.stat().st_size > MAX_JSON:
            raise UserError(f"{path} is larger than {MAX_JSON} bytes: it is not read")
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: it is no JSON that can be read") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} is damaged: it is no JSON object")
    return value


def write_folder(
    folder: Path,
    tensors: Mapping[str, Tensor],
    origin: Mapping[str, Any],
    words: Sequence[str],
    trained_on: Tensor | None = None,
) -> None:
    """``origin``: ``config``, ``data_name`` and any of ``KNOWN``. config.json comes last: before it there is no model.

    Errors: UserError when the folder cannot be written.
    """
    known = {name: origin[name] for name in KNOWN if origin.get(name)}
    config = portable_config(origin["config"])
    about = {"format": FORMAT, "version": CHECKPOINT_VERSION, "data_name": origin["data_name"], "config": config}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(folder / WEIGHTS, tensors)
        if trained_on is not None:
            write_tensors(folder / TRAINING_IMAGES, {"trained_on": trained_on})
        write_json(folder / VOCABULARY, {"words": list(words)})
        digests = {name: digest(folder / name) for name in (WEIGHTS, VOCABULARY)}
        write_text(folder / CARD, card_text(about | known, words, tensors, digests))
        write_json(folder / CONFIG, about | known)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror or error}") from error


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Errors: OSError."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Under a temporary name first; errors: OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()
