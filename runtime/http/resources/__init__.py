"""Falcon resources by noun: parse the request, make one call, set the reply."""
