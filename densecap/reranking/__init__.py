"""Choosing among the hypotheses of an image after they were generated."""
