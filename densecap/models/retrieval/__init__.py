"""log p(sentence | image) of every pair, and what rankings are made of it."""
