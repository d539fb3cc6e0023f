"""The HTTP door, in Falcon: application, routes, errors, middleware, resources."""
