"""Finished parts of an extraction, so that a killed one goes on: a file for every ``PART_SIZE`` images."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np

from densecap.models.feature_recipe import FeatureRecipe

PART_SIZE = 256

#: What is computed of some images: arrays by name, the same names for all.
Arrays = dict[str, np.ndarray]


class Parts:
    """Parts of one recipe in ``folder``; those of another are thrown away.

    A part is an npz file, written under a temporary name and renamed, so what is there is whole.
    """

    def __init__(self, folder: Path, recipe: FeatureRecipe) -> None:
        self.folder = folder
        card = folder / "recipe.json"
        if folder.exists() and not self._belongs(card, recipe):
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if not card.exists():
            self._place(card, json.dumps(recipe.to_json()).encode())

    def get(self, index: int) -> Arrays | None:
        """The part of that number, None when it is not there."""
        try:
            with np.load(self._path(index)) as arrays:
                return dict(arrays)
        except (OSError, ValueError, zipfile.BadZipFile):
            return None

    def put(self, index: int, arrays: Arrays) -> None:
        path = self._path(index)
        temporary = path.with_name(f".{os.getpid()}.npz")
        np.savez(temporary, **arrays)  # type: ignore[arg-type]  # its stubs take them for its own option
        temporary.replace(path)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.npz"

    def _place(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(f".{os.getpid()}.tmp")
        temporary.write_bytes(content)
        temporary.replace(path)

    @staticmethod
    def _belongs(card: Path, recipe: FeatureRecipe) -> bool:
        try:
            former = FeatureRecipe.from_json(json.loads(card.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return former.difference(recipe) is None
