"""Load on the server: many clients at once for a while, beside one at a time."""
