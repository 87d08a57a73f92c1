"""The reader that CONTRIBUTING.md shows works as it stands there."""

import io
import re
from pathlib import Path

from omegaconf import OmegaConf
from rich.console import Console

from densecap.data.hdf5 import RegionFile
from densecap.data.preparation import build_region_file
from densecap.data.prepared import PreparationOptions
from tests.fakes.visual_genome import write_picture

ROOT = Path(__file__).parents[2]


def test_the_example_prepares_a_table_of_photos(tmp_path: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("### A data set in one reader")[2]
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (config,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    names: dict = {}
    exec(code, names)
    node = OmegaConf.merge(OmegaConf.load(ROOT / "configs" / "data" / "csv.yaml"), OmegaConf.create(config))
    assert node.reader._target_.rpartition(".")[2] in names and node.name == "photo_table"

    write_picture(tmp_path / "a.jpg", (24, 32), 1)
    write_picture(tmp_path / "b.jpg", (24, 32), 2)
    (tmp_path / "captions.csv").write_text(
        "image,caption,split\na.jpg,a cat,train\nb.jpg,a dog,val\na.jpg,an animal,train\n"
    )
    options = PreparationOptions(name=node.name, min_token_count=1, max_tokens=50)
    build_region_file(names["PhotoTable"](tmp_path), options, tmp_path / "p.h5", 1, Console(file=io.StringIO()))
    file = RegionFile(tmp_path / "p.h5")
    assert file.captions(0) == ["a cat", "an animal"] and file.regions(0)[0].tolist() == [[0, 0, 32, 24]] * 2
