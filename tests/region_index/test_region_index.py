"""The index of a folder of photos: what is stored, going on after a stop, and rankings against scoring all regions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from densecap.errors import UserError
from densecap.models.generation import score_captions
from densecap.region_index import building
from densecap.region_index.building import Describer, build_index, not_yet_indexed, with_most_regions
from densecap.region_index.folder import RegionIndex
from densecap.region_index.parts import read_part, write_part
from densecap.region_index.query import read_query
from densecap.region_index.ranking import search_index
from densecap.region_index.sheet import write_sheet

CARD = {"checkpoint": "best.ckpt", "sha256": "abc", "config": {"image_size": 64, "detection": {}, "generation": {}}}


@pytest.fixture
def photos(tmp_path):
    generator = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    paths = [folder / f"{index}.png" for index in range(5)]
    for index, path in enumerate(paths):
        Image.fromarray(generator.integers(0, 256, (40 + 4 * index, 64, 3), np.uint8)).save(path)
    return paths


@pytest.fixture
def describer(make_captioner):
    model = make_captioner().eval()
    return Describer(model, with_most_regions(model.detection, 6), model.generation)


@pytest.fixture
def index(tmp_path):
    return RegionIndex.open_or_create(tmp_path / "index", CARD, 6)


def test_parts_survive_writing(tmp_path, describer, photos, index):
    build_index(index, describer, photos, 2)
    (part,) = index.parts()
    write_part(tmp_path / "copy.h5", part)
    copy = read_part(tmp_path / "copy.h5")
    assert copy.files == [str(path) for path in photos]
    assert copy.captions == part.captions
    assert copy.sizes.tolist() == [[40 + 4 * index, 64] for index in range(5)]
    for name in ("stamps", "counts", "boxes", "scores", "log_probs", "codes"):
        assert np.array_equal(getattr(copy, name), getattr(part, name))
    assert part.codes.dtype == np.float16
    assert part.counts.max() <= 6
    huge = replace(part, codes=part.codes.astype(np.float32) * 1e9)
    write_part(tmp_path / "huge.h5", huge)
    assert np.array_equal(read_part(tmp_path / "huge.h5").codes, huge.codes)


def test_regions_are_those_the_model_describes(describer, photos, index):
    build_index(index, describer, photos[:1], 1)
    (part,) = index.parts()
    image = torch.from_numpy(np.array(Image.open(photos[0]))).permute(2, 0, 1)
    (expected,) = describer.model.caption_images([image], describer.detection, describer.generation)
    assert part.captions == [region.caption for region in expected]
    np.testing.assert_allclose(part.boxes, [region.box for region in expected], atol=1e-3)
    np.testing.assert_allclose(part.scores, [region.score for region in expected], atol=1e-5)


def test_an_interrupted_build_goes_on(monkeypatch, describer, photos, index):
    monkeypatch.setattr(building, "PART_SIZE", 2)
    done = []

    def stop(picture):
        done.append(picture)
        if len(done) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(index, describer, photos, 1, stop)
    assert [len(part) for part in index.parts()] == [2, 1]
    rest = not_yet_indexed(index, photos)
    assert rest == photos[3:]
    build_index(index, describer, rest, 1)
    assert sorted(index.stamps()) == [str(path) for path in photos]
    assert not_yet_indexed(index, photos) == []


def test_a_changed_photo_counts_as_it_is_now(describer, photos, index):
    build_index(index, describer, photos[:2], 2)
    Image.new("RGB", (64, 48), "red").save(photos[0])
    assert not_yet_indexed(index, photos[:2]) == photos[:1]
    build_index(index, describer, photos[:1], 1)
    found = search_index(index, describer.model.decoder, torch.tensor([[1, 2]]), top=9)
    assert sorted(image.file for image in found) == [str(path) for path in photos[:2]]
    assert next(image for image in found if image.file == str(photos[0])).height == 48


def test_unreadable_photos_are_named(describer, photos, index):
    photos[1].write_bytes(b"no picture")
    problems = build_index(index, describer, photos[:3], 3)
    assert [path for path, _ in problems] == [str(photos[1])]
    assert list(index.stamps()) == [str(photos[0]), str(photos[2])]


def test_ranking_agrees_with_scoring_every_region(monkeypatch, describer, photos, index):
    monkeypatch.setattr(building, "PART_SIZE", 2)
    build_index(index, describer, photos, 2)
    tokens = torch.tensor([[3, 4, 5], [7, 0, 0]])
    decoder, expected = describer.model.decoder, {}
    for part in index.parts():
        for row, file in enumerate(part.files):
            codes = torch.from_numpy(part.codes[part.starts[row] : part.starts[row + 1]]).float()
            both = torch.stack([score_captions(decoder, codes, words.expand(len(codes), -1)) for words in tokens])
            expected[file] = (float(both.max(dim=1).values.sum()), both.argmax(dim=1).tolist(), row, part)
    seen = []
    found = search_index(index, decoder, tokens, top=3, advance=seen.append)
    ranked = sorted(expected, key=lambda file: -expected[file][0])
    assert [image.file for image in found] == ranked[:3]
    assert sum(seen) == 5
    for image in found:
        score, places, row, part = expected[image.file]
        assert image.score == pytest.approx(score, abs=1e-3)
        for place, region in zip(places, image.regions):
            assert region.caption == part.captions[part.starts[row] + place]
            np.testing.assert_allclose(region.box, part.boxes[part.starts[row] + place])


def test_an_index_belongs_to_its_model(tmp_path, index):
    folder = index.folder
    assert RegionIndex.open_or_create(folder, CARD, 6).card == index.card
    other = CARD | {"sha256": "def"}
    with pytest.raises(UserError, match=r"another model \(best.ckpt\)"):
        RegionIndex.open_or_create(folder, other, 6)
    with pytest.raises(UserError, match="another image_size"):
        RegionIndex.open_or_create(folder, CARD | {"config": CARD["config"] | {"image_size": 32}}, 6)
    with pytest.raises(UserError, match=r"another max_regions \(6\)"):
        RegionIndex.open_or_create(folder, CARD, 7)
    with pytest.raises(UserError, match="there is no index in"):
        RegionIndex.open(tmp_path)
    (folder / "index.json").write_text("[]")
    with pytest.raises(UserError, match="is not an index of photos"):
        RegionIndex.open(folder)


def test_a_damaged_part_is_named(describer, photos, index):
    build_index(index, describer, photos[:1], 1)
    path = index.folder / "parts" / "000000.h5"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UserError, match="000000.h5 is damaged"):
        index.stamps()


def test_phrases_are_parted_and_unknown_words_left_out(make_captioner):
    vocabulary = make_captioner().vocabulary
    query = read_query("Word1, unheard word2!; word3 ;", vocabulary)
    assert query.phrases == ["word1 word2", "word3"]
    assert query.tokens.tolist() == [[2, 3], [4, 0]]
    assert query.unknown == ["unheard"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" ; ", "query is empty"),
        ("wordd1", "knows no word of 'wordd1'; did you mean word1"),
        ("word1 word2 word3", "at most 2"),
    ],
)
def test_questions_without_an_answer(make_captioner, text, message):
    with pytest.raises(UserError, match=message):
        read_query(text, make_captioner().vocabulary, max_length=2)


def test_sheet_leaves_out_photos_that_are_gone(tmp_path, describer, photos, index):
    build_index(index, describer, photos, 5)
    found = search_index(index, describer.model.decoder, torch.tensor([[1]]), top=4)
    Path(found[1].file).unlink()
    assert write_sheet(tmp_path / "sheet.jpg", found, ["word0"]) == [found[1].file]
    assert Image.open(tmp_path / "sheet.jpg").width > 3 * 480
    for image in found:
        Path(image.file).unlink(missing_ok=True)
    assert len(write_sheet(tmp_path / "none.jpg", found, ["word0"])) == 4
    assert not (tmp_path / "none.jpg").exists()
