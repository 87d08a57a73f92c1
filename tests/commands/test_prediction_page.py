"""The page is made from what was written, by whoever makes pages."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from densecap.commands.prediction_page import with_what_a_page_needs, write_page
from densecap.errors import UserError


def test_a_page_is_made_from_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    fake = SimpleNamespace(export_viewer=lambda *given, **more: calls.append((*given, more)))
    monkeypatch.setitem(sys.modules, "densecap.viewer", SimpleNamespace(export=fake))
    monkeypatch.setitem(sys.modules, "densecap.viewer.export", fake)
    assert with_what_a_page_needs(["html"]) == ["html", "json"]
    assert with_what_a_page_needs(["jsonl", "html", "html"]) == ["jsonl", "html"]
    assert with_what_a_page_needs(["csv"]) == ["csv"]
    write_page(["jsonl", "html"], Path("out"))
    write_page(["html", "json", "jsonl"], Path("out"))
    rest = Path("out/html"), {"max_side": 1600}
    assert calls == [([Path("out/predictions.jsonl")], *rest), ([Path("out/predictions.json")], *rest)]


def test_the_viewer_makes_the_page(tmp_path: Path) -> None:
    """Twice, as a run does that is gone on with."""
    Image.new("RGB", (40, 30), "red").save(tmp_path / "photo.png")
    region = {"box": [1, 2, 20, 20], "score": 0.5, "caption": "a red thing", "log_prob": -1.0}
    head = {"version": 1, "image_id": "photo", "file": str(tmp_path / "photo.png"), "width": 40, "height": 30}
    for caption in ("a red thing", "a redder thing"):
        (tmp_path / "predictions.jsonl").write_text(json.dumps({**head, "regions": [{**region, "caption": caption}]}))
        write_page(["jsonl", "html"], tmp_path)
        assert caption in (tmp_path / "html" / "data" / "chunk-0000.js").read_text()
    assert (tmp_path / "html" / "images" / "000000.png").read_bytes() == (tmp_path / "photo.png").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"photo.png", "predictions.jsonl", "html"}


def test_without_a_viewer_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "densecap.viewer.export", None)
    with pytest.raises(UserError, match="needs densecap.viewer"):
        with_what_a_page_needs(["html"])
