"""The import rules of pyproject.toml hold, and those that a contract on whole packages cannot state."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "densecap").rglob("*.py"))

#: Who may import Lightning, by the beginning of the path below densecap/.
LIGHTNING = ("tasks/", "callbacks/", "data/datamodule.py", "commands/train.py")


def imported(path: Path) -> Iterator[str]:
    """Dotted names of everything a file imports, also inside functions: ``hydra.utils.instantiate``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name(path: Path) -> str:
    return path.relative_to(ROOT / "densecap").as_posix()


def importers(*beginnings: str) -> set[str]:
    return {name(path) for path in MODULES if any(item.startswith(beginnings) for item in imported(path))}


def test_import_contracts_are_kept() -> None:
    checked = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_package_has_its_row() -> None:
    rows = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("layers = [")[2].partition("]")[0]
    parts = {
        path.stem for path in (ROOT / "densecap").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    missing = {part for part in parts - {"__init__"} if not re.search(rf"densecap\.{part}\b", rows)}
    assert not missing


def test_only_the_builder_instantiates() -> None:
    assert importers("hydra.utils", "hydra.instantiate") == {"builder.py"}


def test_only_the_command_line_starts_hydra() -> None:
    starters = importers(
        "hydra.main", "hydra.initialize", "hydra.compose", "hydra._internal", "hydra.core.global_hydra"
    )
    composes_a_data_set = "commands/data_splits.py"  # source=NAME:SPLIT, from the search path that is there already
    assert all(module.startswith("cli/") or module == composes_a_data_set for module in starters)


def test_lightning_stays_where_it_belongs() -> None:
    users = importers("pytorch_lightning", "lightning")
    assert not [module for module in users if not module.startswith(LIGHTNING)]


@pytest.mark.parametrize("module", ["densecap", "densecap.cli"])
def test_importing_takes_nothing_heavy_along(module: str) -> None:
    code = (
        f"import sys, {module}; print(*(set(sys.modules) & {{'torch', 'numpy', 'pytorch_lightning', 'h5py', 'PIL'}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
