"""A bundle -> the same bundle with model.onnx, and parity.json that proves it."""
