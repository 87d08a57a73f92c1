"""A model as a folder that travels: safetensors, JSON and a card, nothing that could run code; and the hub."""
