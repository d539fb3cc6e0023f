# Other scripts source this file. apt_install PACKAGE... installs Debian packages, or
# tells the user which ones to install. apt_unpack FOLDER PACKAGE... puts the files of
# packages into a folder, and installs and starts nothing; it fails if it finds none.
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

apt_unpack() {
    folder=$1
    shift
    fetched=$(mktemp -d)
    # A fresh machine has no lists of packages, and only root may fetch them.
    apt_download "$@" || { apt-get update -qq && apt_download "$@"; } || {
        rm -rf "$fetched"
        return 1
    }
    mkdir -p "$folder"
    for file in "$fetched"/*.deb; do
        dpkg-deb -x "$file" "$folder"
    done
    rm -rf "$fetched"
}

# A package that this release lacks is passed over.
apt_download() {
    for package; do
        (cd "$fetched" && apt-get download -qq -o APT::Sandbox::User=root "$package")
    done
    [ -n "$(ls "$fetched")" ]
}
