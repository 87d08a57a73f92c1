"""Scoring what was predicted for a split: reading predictions of any known format, joining, checking, measuring."""
