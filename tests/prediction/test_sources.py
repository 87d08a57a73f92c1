"""What ``source`` may name, on folders with awkward names."""

from pathlib import Path

import pytest

from densecap.errors import UserError
from densecap.prediction.sources import image_ids, natural_key, resolve_sources


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def make(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"")


def names(source: object) -> list[str]:
    return [str(path) for path in resolve_sources(source)]  # type: ignore[arg-type]


def test_folder_takes_pictures_in_natural_order_without_dotfiles(here: Path) -> None:
    make("p/img10.jpg", "p/img2.JPG", "p/.hidden.jpg", "p/notes.txt", "p/deeper/x.jpg", "p/été.png")
    assert names("p") == ["p/img2.JPG", "p/img10.jpg", "p/été.png"]


def test_glob_skips_dotfiles_folders_and_other_files(here: Path) -> None:
    make("p/a2.jpg", "p/a11.jpg", "p/.a3.jpg", "p/a4.txt", "p/a5.jpg/inner.jpg", "q/a1.jpg")
    assert names("p/*") == ["p/a2.jpg", "p/a11.jpg"]
    assert names("**/a?.jpg") == ["p/a2.jpg", "q/a1.jpg"]
    assert names("p/a[12]*.jpg") == ["p/a2.jpg", "p/a11.jpg"]


@pytest.mark.parametrize(
    "name",
    [
        "photo (1).jpg",
        "img[1].jpg",
        "a,b.jpg",
        "it's.jpg",
        "été.jpg",
        "[a].jpg",
        "x=1?.jpg",
        "#1.jpg",
        "*.jpg",
        "~.jpg",
    ],
)
def test_a_name_that_exists_is_taken_literally(here: Path, name: str) -> None:
    make(name, "img1.jpg", "a.jpg", "b.jpg", "a")
    assert names(name) == [name]
    make(f"dir {name}/y1.jpg", f"dir {name}/y2.jpg")
    assert names(f"dir {name}") == [f"dir {name}/y1.jpg", f"dir {name}/y2.jpg"]
    assert names(f"dir {name}/*1.jpg") == [f"dir {name}/y1.jpg"]


def test_pattern_holds_when_the_literal_name_is_missing(here: Path) -> None:
    make("img1.jpg", "img3.jpg")
    assert names("img[12].jpg") == ["img1.jpg"]


def test_several_are_kept_in_the_order_given_each_once(here: Path) -> None:
    make("b.jpg", "a.jpg", "p/c.jpg", "d e.jpg")
    assert names(["b.jpg", "p", "a.jpg", "b.jpg"]) == ["b.jpg", "p/c.jpg", "a.jpg"]
    assert names("[b.jpg, a.jpg]") == ["b.jpg", "a.jpg"]
    assert names("['d e.jpg',p/*.jpg]") == ["d e.jpg", "p/c.jpg"]
    assert names("b.jpg,a.jpg") == ["b.jpg", "a.jpg"]


def test_home_is_expanded_unless_the_name_exists(here: Path) -> None:
    make("home/a.jpg")
    assert names("~/a.jpg") == [str(here / "home/a.jpg")]
    assert names("~/*.jpg") == [str(here / "home/a.jpg")]
    make("~/a.jpg")
    assert names("~/a.jpg") == ["~/a.jpg"]


def test_a_named_file_is_taken_whatever_its_suffix(here: Path) -> None:
    make("scan", "p/.hidden.jpg")
    assert names("scan") == ["scan"]
    assert names("p/.hidden.jpg") == ["p/.hidden.jpg"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("photo.jpg", "did you mean foto.jpg"),
        ("nowhere/x.jpg", "nowhere does not exist"),
        ("*.png", "no pattern that matches"),
        ("p", "the folder p holds no pictures; it holds 1 other files, such as n.txt"),
        ("p/*", "the pattern p/* holds no pictures"),
        ("https://a.example/x.jpg?w=1", "is an address"),
        ("foto.jpg,missing.jpg", "missing.jpg"),
        ([], "source is empty"),
        ("[]", "names no file"),
    ],
)
def test_a_source_that_means_nothing_is_one_clear_sentence(here: Path, source: object, words: str) -> None:
    make("foto.jpg", "p/n.txt")
    with pytest.raises(UserError) as caught:
        names(source)
    assert words in str(caught.value)


def test_natural_key_orders_numbers_by_value() -> None:
    given = ["a10", "a9", "A1", "a1b2", "a1b10", "7", "b"]
    ordered = sorted(map(Path, given), key=natural_key)
    assert [str(path) for path in ordered] == ["7", "A1", "a1b2", "a1b10", "a9", "a10", "b"]


@pytest.mark.parametrize(
    ("paths", "ids"),
    [
        (["p/1.jpg", "p/2.jpg"], ["1", "2"]),
        (["x.jpg", "x.png", "y.jpg"], ["x.jpg", "x.png", "y"]),
        (["a/x.jpg", "b/x.jpg"], ["a_x.jpg", "b_x.jpg"]),
        (["/t/a/x.jpg", "/u/a/x.jpg"], ["t_a_x.jpg", "u_a_x.jpg"]),
        (["../x.jpg", "x.jpg"], ["../x.jpg", "x.jpg"]),
        (["X.jpg", "x.jpg"], ["X.jpg", "x.jpg"]),
        (["a/b_x.jpg", "a_b/x.jpg", "x.jpg"], ["b_x", "a_b_x.jpg", "x.jpg"]),
    ],
)
def test_ids_are_distinct_file_names(paths: list[str], ids: list[str]) -> None:
    made = image_ids([Path(path) for path in paths])
    assert len({name.casefold() for name in made}) == len(paths)
    assert not any("/" in name or name.startswith(".") for name in made)
    if paths[0] not in ("../x.jpg", "X.jpg"):
        assert made == ids
