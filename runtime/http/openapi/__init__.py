"""The OpenAPI document of all routes, made of their table and of the code's types.

Only ``/openapi.json`` needs this room, and imports it when it is first asked.
"""
