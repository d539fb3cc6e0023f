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

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then
        exit 0
    fi
done
{ may_install && (apt_install chromium >/dev/null) && chromium --version 2>/dev/null; } || {
    echo "browser.sh: there is no chromium; the tests that need a browser are skipped"
}
