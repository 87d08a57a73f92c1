"""IAPR TC-12's directory layout in miniature: records in ISO-8859-1 that are no XML, and the two lists."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.visual_genome import write_picture

TRAIN, TEST = ("00/25", "00/60", "01/1000", "01/1001"), ("40/40000",)
UNLISTED = "40/40001"
RECORD = """<DOC>
<DOCNO>annotations/{name}.eng</DOCNO>
<TITLE>Plaza in {town}</TITLE>
<DESCRIPTION>{description}</DESCRIPTION>
<NOTES>R & R</NOTES>
<LOCATION>{town}, Peru</LOCATION>
<DATE>2002</DATE>
<IMAGE>images/{name}.jpg</IMAGE>
<THUMBNAIL>thumbnails/{name}.jpg</THUMBNAIL>
</DOC>
"""


def write_iapr_tc12(root: Path, lists: bool = True) -> None:
    """Five listed images and one in no list; one has a single sentence, one has bare and written ampersands."""
    for number, name in enumerate((*TRAIN, *TEST, UNLISTED)):
        description = "a brown building & a fountain in Cañón; two men walk in front of it;"
        if name == "00/60":
            description = "a café &amp; a bar;"
        write_record(root, name, description)
        picture = root / "images" / f"{name}.jpg"
        picture.parent.mkdir(parents=True, exist_ok=True)
        write_picture(picture, (24, 32), number)
    if lists:
        (root / "iaprtc12_train_list.txt").write_text("\n".join(TRAIN) + "\n", encoding="ascii")
        (root / "iaprtc12_test_list.txt").write_text("\n".join(TEST) + "\n", encoding="ascii")


def write_record(root: Path, name: str, description: str) -> None:
    path = root / "annotations_complete_eng" / f"{name}.eng"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(RECORD.format(name=name, town="Ayacucho", description=description), encoding="latin-1")
