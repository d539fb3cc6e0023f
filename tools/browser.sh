#!/bin/sh
# Install chromium, which tests/end_to_end/browser/ drives. Debian's package has 80 MB, so
# only the targets that run those tests ask for it. It is not unpacked like nginx, because
# it needs a hundred other packages.
set -eu

. "${0%/*}/apt.sh"

# No person is asked for a password in the middle of a test run.
may_install() {
    command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

has_browser() {
    for name in chromium chromium-browser google-chrome; do
        if command -v "$name" >/dev/null; then
            return 0
        fi
    done
    return 1
}

# playwright's own Node.js needs a library that Debian 12 has in no minimal installation.
driver_runs() {
    for node in "${VENV:-.venv}"/lib/python3*/site-packages/playwright/driver/node; do
        "$node" --version >/dev/null 2>&1 || return 1
    done
}

has_browser || {
    may_install && (apt_install chromium >/dev/null) && chromium --version 2>/dev/null
} || {
    echo "browser.sh: there is no chromium; the tests that need a browser are skipped"
    exit
}
driver_runs || { may_install && (apt_install libatomic1 >/dev/null) && driver_runs; } || {
    echo "browser.sh: playwright does not run; please install libatomic1"
}
