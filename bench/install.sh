#!/bin/sh
# What bench needs beside the virtual environment: wrk, which loads the servers.
set -eu

. "${0%/*}/../tools/apt.sh"

command -v wrk >/dev/null || apt_install wrk
