"""Prove an ONNX: draw inputs that TensorFlow accepts, and compare the answers."""
