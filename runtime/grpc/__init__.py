"""The gRPC door: its server, its services, errors and the watch over each call."""
