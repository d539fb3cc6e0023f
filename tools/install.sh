#!/bin/sh
# Make the virtual environment $VENV with the extras $EXTRAS, in exactly the versions of
# constraints.txt. Debian splits venv off Python, and a bare machine has no curl, which
# the tests type as README does; both are asked of apt if they are missing.
set -eu

. "${0%/*}/apt.sh"

# Only the Makefile's own choice may be another; who named a Python means that one.
if ! command -v "$PYTHON" >/dev/null; then
    [ "$PYTHON" = python3.11 ] || {
        echo "install.sh: there is no $PYTHON; name another: make PYTHON=/path/to/python3.11" >&2
        exit 1
    }
    PYTHON=python3
fi
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "install.sh: Python 3.11 or newer is needed; name it: make PYTHON=/path/to/python3.11" >&2
    exit 1
}
if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    apt_install "python$version-venv"
fi
command -v curl >/dev/null || apt_install curl

[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
echo "installing into $VENV (a minute or two) ..."
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt --editable ".[$EXTRAS]"
