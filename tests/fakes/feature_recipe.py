"""A recipe of features, complete, with whatever a test wants changed."""

from densecap.models.feature_recipe import FeatureRecipe, digest_of_ids

BACKBONE = {"_target_": "densecap.models.backbones.mobilenet_v2.MobileNetV2", "weights": "imagenet", "stride": 16}


def recipe(**changes):
    """Of two images of Flickr8K, "b" and "a"."""
    values = {
        "data_name": "flickr8k",
        "ids_sha256": digest_of_ids(["b", "a"]),
        "image_size": 224,
        "backbone": dict(BACKBONE),
        "weights_sha256": "0" * 64,
        "crop": "squash",
        "input_size": 32,
    }
    return FeatureRecipe(**{**values, **changes})
