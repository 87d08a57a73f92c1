"""The page is made from what was written, by whoever makes pages."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from densecap.commands.prediction_page import with_what_a_page_needs, write_page
from densecap.errors import UserError


def test_a_page_is_made_from_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    fake = SimpleNamespace(export_viewer=lambda *given: calls.append(given))
    monkeypatch.setitem(sys.modules, "densecap.viewer", SimpleNamespace(export=fake))
    monkeypatch.setitem(sys.modules, "densecap.viewer.export", fake)
    assert with_what_a_page_needs(["html"]) == ["html", "json"]
    assert with_what_a_page_needs(["jsonl", "html", "html"]) == ["jsonl", "html"]
    assert with_what_a_page_needs(["csv"]) == ["csv"]
    write_page(["jsonl", "html"], Path("out"))
    write_page(["html", "json", "jsonl"], Path("out"))
    folder = Path("out/html")
    assert calls == [([Path("out/predictions.jsonl")], folder), ([Path("out/predictions.json")], folder)]


def test_without_a_viewer_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "densecap.viewer.export", None)
    with pytest.raises(UserError, match="needs densecap.viewer"):
        with_what_a_page_needs(["html"])
