"""Triton's own clients in an environment of their own, and what they are asked."""
