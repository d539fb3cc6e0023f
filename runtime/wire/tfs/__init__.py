"""TensorFlow Serving's REST API v1: its JSON to arrays and back, without a server.

The sentences of its errors are TensorFlow Serving's own where it has some, because its
clients and their logs know them.
"""
