"""TensorFlow Serving's own client, and the script that drives it."""
