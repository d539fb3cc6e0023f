"""The proof: inputs that TensorFlow takes, and how far the ONNX answers from it."""
