# apt_install PACKAGE...: install Debian packages, or say what to install. Sourced.
apt_install() {
    root=""
    if [ "$(id -u)" != 0 ]; then
        root=sudo
        command -v sudo >/dev/null || {
            echo "please install, as root: $*" >&2
            exit 1
        }
    fi
    command -v apt-get >/dev/null || {
        echo "please install: $*" >&2
        exit 1
    }
    $root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends "$@"
}
