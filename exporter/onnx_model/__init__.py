"""Turn a lowered graph into model.onnx: convert, mend, clean and describe it."""
