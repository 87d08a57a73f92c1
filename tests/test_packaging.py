"""What a stranger meets first: the README, its commands, the pinned versions, and the wheel."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=~! ;]", item)[0].lower().replace("_", "-") for item in requirements}


def test_pins_of_uv_and_of_pip_agree() -> None:
    pins = [line for line in read("constraints.txt").splitlines() if line and not line.startswith("#")]
    assert PROJECT["tool"]["uv"]["constraint-dependencies"] == pins
    assert set(PROJECT["tool"]["uv"]["build-constraint-dependencies"]) <= set(pins)


def test_every_dependency_is_pinned_to_one_version_on_a_platform() -> None:
    pins = PROJECT["tool"]["uv"]["constraint-dependencies"]
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    wanted += [item for extra in PROJECT["project"]["optional-dependencies"].values() for item in extra]
    assert names_of(wanted) <= names_of(pins)
    assert all(re.fullmatch(r"[a-z0-9.-]+==[^=<>~*\s]+( ; .+)?", pin) for pin in pins)
    assert set(PROJECT["build-system"]["requires"]) and names_of(PROJECT["build-system"]["requires"]) <= names_of(
        PROJECT["tool"]["uv"]["build-constraint-dependencies"]
    )


def test_pinning_replaces_only_what_is_between_the_markers() -> None:
    pin = runpy.run_path(str(ROOT / "tools" / "pin.py"))
    text = read("pyproject.toml")
    pins = PROJECT["tool"]["uv"]["constraint-dependencies"]
    assert pin["with_block"](text, pin["block"](pins)) == text
    emptied = tomllib.loads(pin["with_block"](text, ""))
    assert "constraint-dependencies" not in emptied["tool"]["uv"] and emptied["project"] == PROJECT["project"]
    with pytest.raises(ValueError, match="pinned versions: begin"):
        pin["with_block"]("", "")


def test_readme_opens_with_one_picture_and_two_commands() -> None:
    opening = README.partition("\n## ")[0]
    assert len(re.findall(r"!\[[^]]+\]\([^)]+\)", opening)) == 1
    commands = re.findall(r"^```bash\n(.*?)^```$", opening, flags=re.MULTILINE | re.DOTALL)
    assert commands == [
        "python3 -m pip install uv && python3 -m uv run python train.py experiment=quickstart\n",
        "python3 -m pip install uv && python3 -m uv run pytest\n",
    ]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_checks_run_the_commands_of_the_readme() -> None:
    shown = subprocess.run(["bash", ".ci/run", "--print"], cwd=ROOT, capture_output=True, text=True, check=True)
    first, second = blocks("bash")[:2]
    assert shown.stdout == second + first
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", read(name))
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("group", re.findall(r"\| `([\w/]+)=` \|", README))
def test_choices_in_the_readme_are_those_on_disk(group: str) -> None:
    """Of recipes the README names some, of every other group in its table of parts all."""
    row = next(line for line in README.splitlines() if f"| `{group}=` |" in line)
    named = set(re.findall(r"`(\w+)`", row.rpartition(f"`{group}=`")[2]))
    present = {path.stem for path in (ROOT / "configs" / group).glob("*.yaml")}
    assert named and named <= present
    assert named == present or group == "experiment"


@pytest.mark.parametrize("code", [code for code in blocks("python") if "DenseCaptioner(" in code])
def test_script_of_the_readme_needs_neither_lightning_nor_hydra(code: str) -> None:
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 10
    block = "import sys; sys.modules.update(hydra=None, pytorch_lightning=None)\n"
    done = subprocess.run([sys.executable, "-c", block + code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "RegionPrediction" in done.stdout


def test_licence_is_stated_alike_everywhere() -> None:
    assert PROJECT["project"]["license"] == "MIT"
    assert read("LICENSE").startswith("MIT License\n\nCopyright (c) 2026 densecap contributors")


def test_no_committed_file_names_a_package_index() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if listed.returncode:
        pytest.skip("needs a git checkout")
    hosts = [b"pypi" + b".org", b"pythonhosted" + b".org"]
    paths = [ROOT / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    assert [path for path in paths if path.is_file() and any(host in path.read_bytes() for host in hosts)] == []
    assert ROOT / "uv.lock" not in paths


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_wheel_carries_code_and_configuration_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    configs = {path.relative_to(ROOT).as_posix() for path in (ROOT / "configs").rglob("*.yaml")}
    assert {f"densecap/{name}" for name in configs} <= set(names)
    assert {name.split("/")[0] for name in names} == {"densecap", f"densecap-{PROJECT['project']['version']}.dist-info"}
    assert not [name for name in names if "__pycache__" in name]


def test_installed_wheel_works_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        pytest.skip("needs uv")
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    here, empty = tmp_path / "venv", tmp_path / "empty"
    empty.mkdir()

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(uv, "venv", "--offline", "--quiet", "--python", sys.executable, here)
    scripts = next(path for path in (here / "bin", here / "Scripts") if path.is_dir())
    run(uv, "pip", "install", "--offline", "--quiet", "--no-deps", "--python", scripts / "python", wheel)
    # The dependencies of the tests' own environment, without what its .pth files add (this very checkout).
    packages = Path(run(scripts / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    assert Path(run(scripts / "python", "-c", "import densecap; print(densecap.__file__)").strip()).is_relative_to(here)
    assert "train" in run(scripts / "densecap", "--help")
    config = run(scripts / "densecap", "train", "model/backbone=resnet50", "--cfg", "job")
    assert "densecap.models.backbones.resnet50.ResNet50" in config
    assert list(empty.iterdir()) == []
