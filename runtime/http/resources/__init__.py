"""Falcon resources, one file a noun: they read the request, and make one call."""
