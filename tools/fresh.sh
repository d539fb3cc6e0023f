#!/bin/sh
# Type README's commands on a bare machine: a minimal Debian with git and make, and with
# nothing else. debootstrap makes it in a folder, and chroot enters it.
#
#     sh tools/fresh.sh trixie             make demo, and then make test
#     sh tools/fresh.sh bookworm demo      these targets of the Makefile alone
#
# It needs root, Linux, debootstrap, git and the Debian mirror. It clones the last commit,
# and takes over this machine's way to the network: name servers, apt's mirror and proxies,
# additional certificates, and pip's configuration with the folders that this names.
# MIRROR names another mirror, and FRESH a folder with 8 GB of room (/tmp). The log,
# .fresh/SUITE.log, has all output, what apt and pip installed, the seconds, and the exit
# codes. The exit code is that of the first command that failed.
set -eu

refuse() {
    echo "fresh.sh: $*" >&2
    exit 2
}

SCRIPTS=/usr/share/debootstrap/scripts

check() {
    [ "$(id -u)" = 0 ] || refuse "only root may make a machine with debootstrap"
    for command in debootstrap chroot unshare git; do
        command -v "$command" >/dev/null || refuse "please install $command"
    done
    case "$suite" in
        '' | */* | .*) refuse "name a release of Debian: sh tools/fresh.sh trixie [TARGET...]" ;;
    esac
    [ -e "$SCRIPTS/$suite" ] || refuse "debootstrap knows no release $suite; see $SCRIPTS"
    MIRROR=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Label: Debian' | sed -n 1p)}
    [ -n "$MIRROR" ] || refuse "apt has no mirror of Debian; name one: MIRROR=URL"
}

# The new machine reaches the network in the way of this one.
take_over_network() {
    cp -L /etc/resolv.conf /etc/hosts "$machine/etc/"
    apt-config dump Acquire | grep -E '^Acquire::(https?::|Check-|Retries)' \
        >"$machine/etc/apt/apt.conf.d/90network" || true
    if [ -n "$authorities" ]; then
        cp -r /usr/local/share/ca-certificates "$machine/usr/local/share/"
        chroot "$machine" update-ca-certificates
    fi
    mkdir -p "$machine/root/.config" "$machine/etc/xdg"
    for pair in /etc/pip.conf:/etc /etc/xdg/pip:/etc/xdg \
        "$HOME/.config/pip:/root/.config" "$HOME/.pip:/root"; do
        [ ! -e "${pair%:*}" ] || cp -rL "${pair%:*}" "$machine${pair#*:}/"
    done
    # pip may know folders of wheels on this machine. Those of an index lie beside it.
    { pip_files; env | grep ^PIP_; } | grep -oE '(^|[ =]|file://)/[^ ]+' |
        sed -E 's,^(file://|[ =]),,; s,/simple/?$,,' | sort -u |
        while read -r folder; do
            if [ -d "$folder" ]; then
                mkdir -p "$machine$folder"
                mount --bind -o ro "$folder" "$machine$folder"
            fi
        done
}

pip_files() {
    for file in "$machine/etc/pip.conf" "$machine/etc/xdg/pip/pip.conf" \
        "$machine/root/.config/pip/pip.conf" "$machine/root/.pip/pip.conf"; do
        [ ! -e "$file" ] || cat "$file"
    done
}

# Nothing else of this machine's environment comes along.
enter() {
    (
        for name in $(env | sed -nE 's/^([A-Za-z_][A-Za-z0-9_]*)=.*/\1/p'); do
            case "$name" in
                PIP_* | *_proxy | *_PROXY) ;;
                *) unset "$name" ;;
            esac
        done
        export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        export LANG=C.UTF-8
        /usr/sbin/chroot "$machine" "$@"
    )
}

tell() {
    echo "$*" >>"$log"
    echo "$*" >&3
}

# step NAME COMMAND...
step() {
    name=$1
    shift
    echo "== $name" >>"$log"
    begin=$(date +%s)
    code=0
    "$@" >>"$log" 2>&1 </dev/null || code=$?
    tell "$(printf '%-24s %5d s   exit code %d' "$name" $(($(date +%s) - begin)) $code)"
    [ "$failed" != 0 ] || failed=$code
    return $code
}

packages() {
    enter dpkg-query --show --showformat '${Package} ${Version}\n'
}

# The log of apt has a line for each command, and one with all packages that it installed.
report() {
    tell "installed by debootstrap: $given packages, git and make among them"
    sed -n 's/^Commandline: //p; s/^Install: //p' "$machine/var/log/apt/history.log" |
        while read -r line && read -r installed; do
            tell "installed by $line: $(echo "$installed" | grep -o '([^)]*)' | wc -l) packages"
        done
    python=/root/tfaas-onnx/.venv/bin/python
    if [ -x "$machine$python" ] || [ -L "$machine$python" ]; then
        tell "installed by pip: $(enter $python -m pip list --format freeze | wc -l) packages," \
            "for $(enter $python --version)"
        enter $python -m pip list --format freeze >>"$log"
    fi
    packages >>"$log"
}

# This part runs in a namespace of its own: its mounts and processes end with it, even
# when it is killed.
inside() {
    mount --make-rprivate /
    with=git,make
    authorities=$(find /usr/local/share/ca-certificates -name '*.crt' 2>/dev/null | head -n 1)
    [ -z "$authorities" ] || with=$with,ca-certificates
    failed=0
    exec 3>&1
    tell "$suite, $(uname -m), $(nproc) cores, commit $(git rev-parse --short HEAD)," \
        "$(date -u +%Y-%m-%d)"
    step debootstrap debootstrap --variant=minbase --include="$with" "$suite" "$machine" \
        "$MIRROR" || return $failed
    mount --rbind /dev "$machine/dev"
    mount --rbind /sys "$machine/sys"
    mount -t proc proc "$machine/proc"
    step "this machine's network" take_over_network || return $failed
    given=$(packages | wc -l)
    step "git clone" clone || return $failed
    for target; do
        step "make $target" enter sh -c 'cd /root/tfaas-onnx && exec make "$1"' sh "$target" ||
            break
    done
    report
    return $failed
}

clone() {
    git bundle create --quiet "$machine/root/tfaas-onnx.bundle" HEAD
    enter git -c advice.detachedHead=false clone --quiet /root/tfaas-onnx.bundle \
        /root/tfaas-onnx
}

if [ "${1:-}" = --inside ]; then
    suite=$2 machine=$3 log=$4
    shift 4
    inside "$@"
    exit
fi

suite=${1:-}
check
shift
[ $# != 0 ] || set -- demo test
cd "$(dirname "$0")/.."
mkdir -p .fresh
log=$PWD/.fresh/$suite.log
: >"$log"
machine=$(mktemp -d "${FRESH:-/tmp}/fresh-$suite.XXXXXX")
chmod 755 "$machine"
trap 'rm -rf --one-file-system "$machine"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
echo "the log is $log"
code=0
MIRROR=$MIRROR unshare --mount --pid --fork --kill-child \
    sh tools/fresh.sh --inside "$suite" "$machine" "$log" "$@" || code=$?
exit $code
