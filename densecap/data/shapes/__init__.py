"""The embedded data set: generated scenes of coloured shapes in the layout of Visual Genome.

``ensure(root)`` writes it, ``scene_of(image_id)`` makes one scene again, ``true_phrases(scene, index)`` lists every
phrase that describes one of its shapes exactly, and ``ShapesReader`` (in ``reader``) reads it for preprocessing.
"""

from densecap.data.shapes.grammar import true_phrases
from densecap.data.shapes.sampling import scene_of
from densecap.data.shapes.truth import true_phrases_of_box
from densecap.data.shapes.writing import ensure

__all__ = ["ensure", "scene_of", "true_phrases", "true_phrases_of_box"]
