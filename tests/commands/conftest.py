"""What tests of commands share."""

import shutil

import pytest


@pytest.fixture
def copy(folder, tmp_path):
    """A fresh folder with the data of ``folder``, in which a test module keeps a run."""
    shutil.copytree(folder / "data", tmp_path / "data")
    return tmp_path
