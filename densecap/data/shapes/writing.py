"""Writing the generated scenes to disk in the layout of Visual Genome.

ROOT/VG_100K/<image_id>.jpg        the pictures
ROOT/image_data.json               [{image_id, width, height, url, coco_id, flickr_id}]
ROOT/region_descriptions.json      [{id, regions: [{region_id, image_id, phrase, x, y, width, height}]}]
ROOT/splits.json                   {train: [ids], val: [ids], test: [ids]}
ROOT/captions.json                 sentences about whole pictures, as COCO lays out captions
ROOT/shapes.json                   what made the folder: {version, seed, counts}
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from densecap.data.progress import image_progress
from densecap.data.shapes.grammar import phrases
from densecap.data.shapes.painting import paint
from densecap.data.shapes.sampling import DEFAULT_SEED, FIRST_IDS, scene_of
from densecap.data.shapes.scene import Scene
from densecap.data.shapes.sentences import sentences
from densecap.errors import UserError

#: Raised whenever the same seed gives other scenes or phrases.
VERSION = 1
COUNTS = {"train": 3000, "val": 200, "test": 200}
JPEG_QUALITY = 95


def ensure(root: Path | str, counts: Mapping[str, int] | None = None, seed: int = DEFAULT_SEED) -> Path:
    """Make the data set in ``root`` unless it is there; takes about ten seconds on one core.

    A folder with scenes of another seed, number or version is replaced; a folder that holds anything else is left
    alone and raises ``UserError``.
    """
    root = Path(root)
    recipe = {"version": VERSION, "seed": seed, "counts": {**COUNTS, **(counts or {})}}
    if _recipe_of(root) == recipe:
        return root
    if root.exists() and _recipe_of(root) is None and any(root.iterdir()):
        raise UserError(f"{root} holds something else than generated scenes: choose an empty folder as data.root")
    root.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    try:
        _write(temporary, recipe)
        _put_in_place(temporary, root, recipe)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return root


def image_ids(split: str, count: int) -> range:
    """The image ids of a split's first ``count`` scenes."""
    return range(FIRST_IDS[split], FIRST_IDS[split] + count)


def _recipe_of(root: Path) -> dict[str, Any] | None:
    try:
        recipe = json.loads((root / "shapes.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return recipe if isinstance(recipe, dict) else None


def _put_in_place(temporary: Path, root: Path, recipe: dict[str, Any]) -> None:
    """Rename the finished folder, unless another process was faster and has put the same one there."""
    temporary.chmod(0o755)
    if _recipe_of(root) == recipe:
        return
    if root.exists():
        replaced = Path(tempfile.mkdtemp(prefix=f".{root.name}.old.", dir=root.parent))
        root.rename(replaced / "scenes")
        shutil.rmtree(replaced)
    try:
        temporary.rename(root)
    except OSError:
        if _recipe_of(root) != recipe:
            raise


def _write(folder: Path, recipe: dict[str, Any]) -> None:
    splits = {split: list(image_ids(split, count)) for split, count in recipe["counts"].items()}
    ids = [image_id for split in splits.values() for image_id in split]
    (folder / "VG_100K").mkdir()
    scenes = []
    for image_id in _with_progress(ids):
        scene = scene_of(image_id, recipe["seed"])
        file = folder / "VG_100K" / f"{image_id}.jpg"
        paint(scene).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        scenes.append(scene)
    _dump(folder / "image_data.json", [_image_row(scene) for scene in scenes])
    _dump(folder / "region_descriptions.json", _region_rows(scenes))
    _dump(folder / "captions.json", _caption_file(scenes))
    _dump(folder / "splits.json", splits)
    _dump(folder / "shapes.json", recipe)


def _with_progress(ids: list[int]) -> Iterable[int]:
    with image_progress(Console(stderr=True)) as progress:
        yield from progress.track(ids, description="painting scenes")


def _dump(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def _image_row(scene: Scene) -> dict[str, Any]:
    size = {"image_id": scene.image_id, "width": scene.width, "height": scene.height}
    return {**size, "url": f"VG_100K/{scene.image_id}.jpg", "coco_id": None, "flickr_id": None}


def _region_rows(scenes: list[Scene]) -> list[dict[str, Any]]:
    rows, region_id = [], 0
    for scene in scenes:
        regions = []
        for index, shape in enumerate(scene.shapes):
            x1, y1, x2, y2 = shape.box
            for phrase in phrases(scene, index):
                region_id += 1
                row = {"region_id": region_id, "image_id": scene.image_id, "phrase": phrase}
                regions.append({**row, "x": x1, "y": y1, "width": x2 - x1, "height": y2 - y1})
        rows.append({"id": scene.image_id, "regions": regions})
    return rows


def _caption_file(scenes: list[Scene]) -> dict[str, Any]:
    images = [
        {"id": scene.image_id, "file_name": f"{scene.image_id}.jpg", "height": scene.height, "width": scene.width}
        for scene in scenes
    ]
    pairs = [(scene.image_id, sentence) for scene in scenes for sentence in sentences(scene)]
    rows = [{"id": number, "image_id": image_id, "caption": text} for number, (image_id, text) in enumerate(pairs, 1)]
    return {"info": {"description": "generated scenes of coloured shapes"}, "images": images, "annotations": rows}
