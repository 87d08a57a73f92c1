"""Opening files of PyTorch's, whatever is in them, without running anything."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

from densecap.errors import UserError


def load(path: Path, pickled: str) -> Any:
    """The tensors and plain values of a file, mapped where its form allows it.

    Errors: UserError when it is broken, and with the sentence ``pickled`` when opening it would run code.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles of other versions
            return _loaded(path)
    except pickle.UnpicklingError as error:
        raise UserError(pickled) from error
    except Exception as error:  # a damaged file makes PyTorch fail in many ways
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        raise UserError(f"{path} cannot be read as a file of PyTorch ({reason}); is it complete?") from error


def _loaded(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError:  # the format before torch 1.6 cannot be mapped
        return torch.load(path, map_location="cpu", weights_only=True)
