"""METEOR 1.5 without Java, from the word lists that the package pycocoevalcap carries.

``Meteor().score_pairs([("a dog", ["the dog runs"])])``. Importing this loads neither torch nor the data.
"""

from densecap.metrics.meteor.meteor import Meteor, check_options
from densecap.metrics.meteor.resources import MeteorUnavailable
from densecap.metrics.meteor.score import corpus_score, corpus_statistics, scores

__all__ = ["Meteor", "MeteorUnavailable", "check_options", "corpus_score", "corpus_statistics", "scores"]
