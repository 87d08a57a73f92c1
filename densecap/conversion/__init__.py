"""Models that other software saved, turned into checkpoints and weights of this one: a file for each format."""
