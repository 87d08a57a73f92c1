"""Fetching published data sets: the table of files, resumable transfer, checks, unpacking."""
