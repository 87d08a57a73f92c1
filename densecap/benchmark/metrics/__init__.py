"""How fast the metrics are, beside pycocoevalcap 1.2 on the same words, and what they need in memory."""
