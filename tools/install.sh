#!/bin/sh
# Make the virtual environment $VENV with the extras $EXTRAS, in exactly the versions of
# constraints.txt. apt installs what is missing: a bare machine has no Python, Debian has
# venv in a package of its own, and the tests run curl and nginx.
set -eu

. "${0%/*}/apt.sh"

usable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# The tests passed with Python 3.11 to 3.13; the system's own python3 may be newer.
choose() {
    for name in python3.11 python3.12 python3.13 python3; do
        if command -v "$name" >/dev/null && usable "$name"; then
            echo "$name"
            return
        fi
    done
}

# If the user named a Python, no other one is tried.
if [ -n "${PYTHON:-}" ]; then
    command -v "$PYTHON" >/dev/null || {
        echo "install.sh: there is no $PYTHON; name another: make PYTHON=/path/to/python3.13" >&2
        exit 1
    }
else
    PYTHON=$(choose)
    if [ -z "$PYTHON" ] && ! command -v python3 >/dev/null; then
        apt_install python3 python3-venv
        PYTHON=$(choose)
    fi
    PYTHON=${PYTHON:-python3}
fi
usable "$PYTHON" || {
    echo "install.sh: $PYTHON is older than Python 3.11, or does not run; name another:" \
        "make PYTHON=/path/to/python3.13" >&2
    exit 1
}
if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    apt_install "python$version-venv"
fi
command -v curl >/dev/null || apt_install curl ca-certificates
# tests/end_to_end/test_nginx.py runs nginx. Its package would start a server on port 80,
# so it is not installed. The program lies in the one package or in the other.
if ! command -v nginx >/dev/null && [ ! -x "$VENV/nginx/usr/sbin/nginx" ]; then
    { apt_unpack "$VENV/nginx" nginx nginx-light && "$VENV/nginx/usr/sbin/nginx" -v; } \
        2>/dev/null || {
        rm -rf "$VENV/nginx"
        echo "install.sh: there is no nginx; the tests that need it are skipped"
    }
fi

# unpack PROGRAM PACKAGE...: the first package has the program, and the others its
# libraries.
unpack() {
    program=$1
    shift
    if ! command -v "$program" >/dev/null && [ ! -d "$VENV/$1/usr" ]; then
        libraries=$VENV/$1/usr/lib/$(uname -m)-linux-gnu
        { apt_unpack "$VENV/$1" "$@" &&
            PATH=$VENV/$1/usr/bin:$VENV/$1/usr/sbin \
                LD_LIBRARY_PATH=$libraries "$program" --version; } \
            >/dev/null 2>&1 || {
            rm -rf "${VENV:?}/$1"
            echo "install.sh: there is no $program; the tests that need it are skipped"
        }
    fi
}

# tests/deploy/ runs promtool and logrotate. Prometheus' package would start a server, too;
# since Debian 13 promtool has a package of its own.
unpack promtool prometheus promtool
unpack logrotate logrotate libpopt0

[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
# Python compiles a file when it is first imported, and most files never are.
echo "installing into $VENV (a minute or two) ..."
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
    --constraint constraints.txt --editable ".[$EXTRAS]"
