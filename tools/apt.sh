# Other scripts source this file. apt_install PACKAGE... installs Debian packages, or
# tells the user which ones to install.
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
