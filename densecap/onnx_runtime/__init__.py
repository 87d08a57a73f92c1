"""Running a model that was exported to ONNX: NumPy, Pillow and onnxruntime, and no PyTorch."""
