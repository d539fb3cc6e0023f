"""Whether a model is still right: live parity with TensorFlow, and drift."""
