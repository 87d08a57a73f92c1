"""Formats of predictions files, one a module; ``table`` recognises and reads any of them."""
