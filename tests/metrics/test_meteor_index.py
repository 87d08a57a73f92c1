"""The index of paraphrases: what it holds, and where it is kept."""

import gzip
import os
import tempfile

import numpy as np
import pytest

from densecap.errors import UserError
from densecap.metrics.meteor import index as index_module
from densecap.metrics.meteor.index import cache_folders, open_index
from densecap.metrics.meteor.index_build import ROOT

ENTRIES = [("a dog", "the hound"), ("a dog", "dogs"), ("dog", "hound"), ("no lack of", "many"), ("a dog", "a")]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.gz"
    path.write_bytes(gzip.compress("".join(f"0.5\n{a}\n{b}\n" for a, b in ENTRIES).encode()))
    return path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DENSECAP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "cache"


def node_of(index, phrase):
    node = np.array([ROOT])
    for word in phrase.split():
        node = index.step(node, np.array([index.words.get(word, 0)]))
        if node[0] == ROOT:
            return None
    return int(node[0])


def paraphrases_of(index, phrase):
    row = index.sources[node_of(index, phrase)]
    return index.paraphrases[index.offsets[row] : index.offsets[row + 1]].tolist()


def test_paraphrases_are_found_in_the_order_of_the_table(table, cache):
    index = open_index(table)
    for phrase in {source for source, _ in ENTRIES}:
        expected = [node_of(index, target) for source, target in ENTRIES if source == phrase]
        assert paraphrases_of(index, phrase) == expected


def test_other_paths_end_or_are_no_phrases(table, cache):
    index = open_index(table)
    assert node_of(index, "lack of") is None
    assert node_of(index, "no lack of dogs") is None
    assert index.sources[node_of(index, "no lack")] == -1
    assert not index.targets[node_of(index, "no lack")]
    assert index.targets[node_of(index, "the hound")]


def test_it_is_built_once(table, cache, monkeypatch):
    open_index(table)
    monkeypatch.setattr(index_module, "build_index", lambda *_: pytest.fail("built again"))
    assert open_index(table).words["dog"]
    assert sorted(path.name.split("-")[0] for path in cache.iterdir()) == ["meteor", "meteor.lock"]


def test_another_table_gets_an_index_of_its_own(table, cache):
    open_index(table)
    table.write_bytes(gzip.compress(b"0.5\ncat\nkitten\n"))
    assert list(open_index(table).words) == ["cat", "kitten"]


def test_a_damaged_index_is_built_again(table, cache):
    open_index(table)
    [folder] = cache.glob("meteor-*")
    (folder / "edges.npy").write_bytes(b"")
    assert node_of(open_index(table), "dog") is not None


def test_the_temporary_folder_serves_where_the_cache_cannot_be_written(table, cache, tmp_path):
    cache.write_text("a file where the folder should be")
    assert node_of(open_index(table), "dog") is not None
    assert list((tmp_path / "temporary").glob("densecap-*/meteor-*"))


def test_no_place_for_the_index_is_one_sentence(table, cache, tmp_path):
    cache.touch()
    (tmp_path / "temporary").touch()
    with pytest.raises(UserError, match="DENSECAP_CACHE") as error:
        open_index(table)
    assert "\n" not in str(error.value)


def test_a_truncated_table_is_one_sentence_and_leaves_nothing_behind(table, cache):
    table.write_bytes(table.read_bytes()[:-12])
    with pytest.raises(UserError, match="cannot be built"):
        open_index(table)
    assert [path.name for path in cache.iterdir()] == ["meteor.lock"]


def test_the_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("DENSECAP_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folders()[0] == tmp_path / "densecap"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folders()[0] == tmp_path / ".cache" / "densecap"
    monkeypatch.setenv("DENSECAP_CACHE", "~/elsewhere")
    assert cache_folders()[0] == tmp_path / "elsewhere"


def test_the_temporary_folder_is_the_users_own():
    assert str(getattr(os, "getuid", str)()) in cache_folders()[1].name
