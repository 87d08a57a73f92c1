"""Reading TensorFlow's checkpoints, of both versions of their format, without TensorFlow."""
