#!/bin/sh
# Run the unit tests with the lowest versions that pyproject.toml allows, in the
# environment $LOWEST. Only the direct requirements are lowered: an old version of what
# they need themselves is their matter. uv resolves them, from an environment of its own.
set -eu

LOWEST=${LOWEST:-.lowest}
PYTHON=${PYTHON:-.venv/bin/python}

[ -x "$LOWEST/uv/bin/uv" ] || {
    "$PYTHON" -m venv "$LOWEST/uv"
    "$LOWEST/uv/bin/python" -m pip install --quiet --disable-pip-version-check uv
}
"$LOWEST/uv/bin/uv" venv --quiet --clear --python "$PYTHON" "$LOWEST/venv"
echo "installing the lowest versions into $LOWEST/venv ..."
"$LOWEST/uv/bin/uv" pip compile --quiet --resolution lowest-direct --python "$LOWEST/venv" \
    --extra train --extra data --extra objects --extra tune --extra export \
    --extra tensorflow --extra tracing --extra netron --extra grpc --extra cluster \
    --output-file "$LOWEST/versions.txt" pyproject.toml
# The tools of the tests may be new. mutmut alone asks for a newer click than users need.
"$LOWEST/uv/bin/uv" pip install --quiet --python "$LOWEST/venv" \
    --requirement "$LOWEST/versions.txt" --constraint "$LOWEST/versions.txt" \
    cyclonedx-bom h11 hypothesis ipykernel kubernetes-validate nbclient pytest \
    pytest-xdist schemathesis scikit-learn
# Some tests read the project's own metadata.
"$LOWEST/uv/bin/uv" pip install --quiet --python "$LOWEST/venv" --no-deps --editable .
exec "$LOWEST/venv/bin/python" -m pytest -p no:cacheprovider "$@" \
    -m "not slow and not tensorflow" --ignore tests/tools/test_mutating.py
