#!/bin/sh
# Boot a systemd in namespaces of its own, install the service in it as docs/deploying.md
# says, and try deploy/systemd/tfaas-onnx.service: sudo tools/systemd/try.sh
# It needs root, overlayfs, `make`'s environment, and Debian's packages systemd and curl. It works on a copy of
# this machine's files, in memory, and changes none of them. It takes some minutes.
set -eu

[ "$(id -u)" = 0 ] || {
    echo "try.sh: only root can boot a systemd: sudo tools/systemd/try.sh" >&2
    exit 1
}
source=$(cd "${0%/*}/../.." && pwd)
name=tfaas-onnx-try-$$
base=$(mktemp -d)
boot=
first=

groups() {
    if [ -e /sys/fs/cgroup/cgroup.procs ]; then
        echo /sys/fs/cgroup
    else
        for group in /sys/fs/cgroup/*/; do
            # A new group of cpuset has no cores.
            case $group in */cpuset/) ;; *) echo "${group%/}" ;; esac
        done
    fi
}

finish() {
    # With the process 1 of the new machine all others of it end.
    [ -z "$first" ] || kill -9 "$first" 2>/dev/null || true
    [ -z "$boot" ] || {
        [ -n "$first" ] || kill -9 "$boot" 2>/dev/null || true
        wait "$boot" 2>/dev/null || true
    }
    umount -l "$base/root" "$base/memory" 2>/dev/null || true
    for group in $(groups); do
        # Groups whose processes have just ended may be busy for a moment.
        for _ in $(seq 50); do
            find "$group/$name" -depth -type d -exec rmdir {} + 2>/dev/null || true
            [ -d "$group/$name" ] || break
            sleep 0.1
        done
    done
    rm -rf "$base"
}
trap finish EXIT
trap 'exit 1' INT TERM

echo "# a copy of this machine"
mkdir "$base/memory" "$base/root"
mount -t tmpfs -o size=4g tmpfs "$base/memory"
mkdir "$base/memory/upper" "$base/memory/work"
mount -t overlay overlay "$base/root" \
    -o "lowerdir=/,upperdir=$base/memory/upper,workdir=$base/memory/work"
root=$base/root
rm -rf "$root"/opt/tfaas-onnx* "$root/etc/tfaas-onnx" "$root/src" "$root/usr/local/bin/runtime"
mkdir -p "$root/src" "$root/mnt/old"
(cd "$source" && git ls-files -z | tar c --null -T -) | tar x -C "$root/src"

echo "# the installation, as the page has it"
# systemd does not run yet, and nginx has a test of its own.
sed -n '/^<!-- not run: .*try.sh types it/,/^```$/p' "$source/docs/deploying.md" |
    sed '1,2d;$d' | grep -v -e '^apt ' -e '^systemctl ' >"$root/src/installation.sh"
chroot "$root" sh -ec 'cd /src && . ./installation.sh && cp made.txt /root/'
printf '[Unit]\nRequires=systemd-journald.service\n' >"$root/etc/systemd/system/try.target"

# The tests' own small model, which needs the environment of `make`.
(cd "$source" && PYTHONPATH=$source .venv/bin/python -c '
import sys
from pathlib import Path
from tests.examples import tar_of, write_bundle
folder = Path(sys.argv[1])
(folder / "bundle.tar").write_bytes(tar_of(write_bundle(folder / "linear")))
' "$root/root")

echo "# the boot"
for group in $(groups); do
    mkdir "$group/$name"
done
ROOT=$root NAME=$name GROUPS_OF="$(groups)" setsid sh -ec '
    for group in $GROUPS_OF; do
        echo $$ > "$group/$NAME/cgroup.procs"
    done
    exec unshare --mount --pid --cgroup --uts --ipc --net --fork --propagation private \
        sh -ec '\''
        mount -t proc proc "$ROOT/proc"
        mount -t sysfs sysfs "$ROOT/sys"
        for folder in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$ROOT/$folder"; done
        chmod 1777 "$ROOT/tmp"
        for device in null zero full random urandom tty; do
            touch "$ROOT/dev/$device"
            mount --bind "/dev/$device" "$ROOT/dev/$device"
        done
        ln -s /proc/self/fd "$ROOT/dev/fd"
        mkdir "$ROOT/dev/shm" "$ROOT/dev/pts"
        mount -t tmpfs -o mode=1777 tmpfs "$ROOT/dev/shm"
        # PrivateDevices shows these to the service, too.
        mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$ROOT/dev/pts"
        ln -s pts/ptmx "$ROOT/dev/ptmx"
        if [ "$GROUPS_OF" = /sys/fs/cgroup ]; then
            mount -t cgroup2 cgroup2 "$ROOT/sys/fs/cgroup"
        else
            mount -t tmpfs -o mode=755 tmpfs "$ROOT/sys/fs/cgroup"
            for group in $GROUPS_OF; do
                kind=${group##*/}
                mkdir "$ROOT/sys/fs/cgroup/$kind"
                case $kind in
                unified) mount -t cgroup2 cgroup2 "$ROOT/sys/fs/cgroup/$kind" ;;
                systemd) mount -t cgroup -o name=systemd cgroup "$ROOT/sys/fs/cgroup/$kind" ;;
                *) mount -t cgroup -o "$kind" cgroup "$ROOT/sys/fs/cgroup/$kind" ;;
                esac
            done
        fi
        ip link set lo up
        cd "$ROOT"
        pivot_root . mnt/old
        umount -l /mnt/old
        exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
            /lib/systemd/systemd --log-target=null --unit=try.target
    '\''
' &
boot=$!
# unshare has one child, which is the process 1 of the new machine.
for _ in $(seq 100); do
    first=$(pgrep -P "$boot" -f '^/lib/systemd/systemd ' || true)
    [ -z "$first" ] || break
    sleep 0.2
done
[ -n "$first" ] || {
    echo "try.sh: systemd did not start in its namespaces" >&2
    exit 1
}

in_it() {
    nsenter -t "$first" -a env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

in_it sh -e /src/tools/systemd/tried.sh
