"""What a person typed as ``source``, as pictures to read."""

from densecap.prediction.sources.found import is_webcam, resolve_sources
from densecap.prediction.sources.naming import image_ids, natural_key
from densecap.prediction.sources.opening import OpenSplit, open_source
from densecap.prediction.sources.settings import SourceSettings
from densecap.prediction.sources.shard import WHOLE, Shard
from densecap.prediction.sources.unread import Frame, Source, Unread

__all__ = [
    "WHOLE",
    "Frame",
    "OpenSplit",
    "Shard",
    "Source",
    "SourceSettings",
    "Unread",
    "image_ids",
    "is_webcam",
    "natural_key",
    "open_source",
    "resolve_sources",
]
