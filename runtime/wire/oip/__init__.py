"""The Open Inference Protocol v2: its messages to arrays and back, without a server."""
