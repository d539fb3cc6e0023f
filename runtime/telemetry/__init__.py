"""What is told of requests: their journey, metrics, logs and spans."""
