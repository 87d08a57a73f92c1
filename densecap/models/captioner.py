"""Either kind of model: what commands and callbacks may ask of both.

``vocabulary``, ``backbone``, ``decoder``, ``image_size``, ``detection``, ``generation``, ``conventions``;
``caption_images`` and ``caption_boxes``; ``finds_boxes`` (False: it describes what it is given, a whole image unless
told otherwise) and ``needs_pixels`` (False: features are looked up by image id).
"""

from __future__ import annotations

from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.image_captioner import ImageCaptioner

Captioner = DenseCaptioner | ImageCaptioner
