"""The published models that ``download model=NAME`` fetches, under the names of ``configs/model``.

DenseCap's authors name the address in scripts/download_pretrained_model.sh, and give about 1.1 GB as its size; neither
the exact size nor a checksum was published.
"""

from __future__ import annotations

from dataclasses import dataclass

from densecap.data.downloads.remote_file import RemoteFile
from densecap.errors import UserError


@dataclass(frozen=True)
class PublishedModel:
    """``file`` is what is published, ``format`` the one of ``convert`` it is in."""

    file: RemoteFile
    format: str


_DENSECAP = "cs.stanford.edu/people/jcjohns/densecap/densecap-pretrained-vgg16.t7.zip"

MODELS = {
    "densecap_vgg16_2016": PublishedModel(
        RemoteFile(
            key="model",
            name="densecap-pretrained-vgg16.t7.zip",
            target="densecap-pretrained-vgg16.t7",
            addresses=(f"https://{_DENSECAP}", f"http://{_DENSECAP}"),
            unpack="file",
        ),
        format="densecap_t7",
    ),
}


def published_model(name: str) -> PublishedModel:
    """Errors: UserError for a model that nobody published."""
    if name not in MODELS:
        raise UserError(f"model={name} has nothing to download; this command fetches {', '.join(sorted(MODELS))}")
    return MODELS[name]
