"""A trained model in the formats of other software: safetensors, ONNX, torch.export."""
