"""Lower a TensorFlow function to one flat graph of operators that can become ONNX."""
