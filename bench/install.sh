#!/bin/sh
# Install wrk, which loads the servers; bench needs it beside the virtual environment.
set -eu

. "${0%/*}/../tools/apt.sh"

command -v wrk >/dev/null || apt_install wrk
