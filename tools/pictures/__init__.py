"""Measures how a model reads digits as people draw and photograph them."""
