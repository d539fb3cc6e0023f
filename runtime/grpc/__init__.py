"""The gRPC door: its server, its services, errors and the watch over each call."""

import os

# grpcio's C++ writes a line past the service's log for each client that speaks no TLS,
# among others. Clients must not fill a disk so. The variable brings the lines back.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
