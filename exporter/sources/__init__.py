"""What is converted: told apart, looked at, and loaded in TensorFlow."""
