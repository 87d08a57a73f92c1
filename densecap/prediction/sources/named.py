"""What the words that a person typed stand for, before anything is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What is named: a picture file, a video file, an address on the web, a picture in object storage, a tar file of
#: pictures, a camera's or broadcaster's stream, the screen, standard input, a split of a data set, or the browser's
#: camera.
Kind = Literal["picture", "video", "web", "remote", "tar", "stream", "screen", "stdin", "split", "webcam"]


@dataclass(frozen=True, slots=True)
class Named:
    """One thing of a source: ``name`` is its path, its address or the word for it.

    What was ``typed`` by itself has to be there; what a list, a glob or a folder names may turn out to be broken.
    """

    kind: Kind
    name: str
    typed: bool = True
