"""A lowered graph -> model.onnx: converted by tf2onnx, mended, cleaned, described."""
