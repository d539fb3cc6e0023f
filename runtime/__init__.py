"""The service: bundles of the store, answering predictions over HTTP."""
