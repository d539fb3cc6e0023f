#!/bin/sh
# Install wrk and h2load, which load the servers; bench needs them beside the virtual
# environment.
set -eu

. "${0%/*}/../tools/apt.sh"

command -v wrk >/dev/null || apt_install wrk
command -v h2load >/dev/null || apt_install nghttp2-client
