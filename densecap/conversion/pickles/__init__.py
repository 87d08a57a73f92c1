"""Reading what Python pickled, without running anything in it: text, numbers, lists, dictionaries, NumPy's arrays."""
