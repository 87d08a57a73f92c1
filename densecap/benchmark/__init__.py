"""Timing of every part of the captioner beside the least time its arithmetic takes on the machine at hand."""
