"""A TensorFlow function -> one flat graph of operators that can become ONNX."""
