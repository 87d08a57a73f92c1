"""The page about an evaluation: one file of HTML that needs nothing else, neither a network nor a script to be read."""
