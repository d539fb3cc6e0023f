"""The record of requests: their journey, metrics, logs and spans."""
