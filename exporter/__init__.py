"""Convert a bundle's model to model.onnx, with parity.json that proves it."""
