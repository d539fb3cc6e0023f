# try.sh runs this in the machine that it booted. Each line that begins with "ok" was
# checked; the first that fails ends the script.
set -eu
unit=tfaas-onnx
url=http://127.0.0.1:8083
token=$(sed -n 's/^token *//p' /root/made.txt)

ok() {
    echo "ok: $*"
}

fail() {
    echo "FAILED: $*"
    systemctl --no-pager --full status $unit || true
    journalctl --no-pager -o cat -u $unit | tail -30
    exit 1
}

shown() {
    systemctl show --property "$1" --value $unit
}

# The bound is for a busy machine.
until_shown() {
    for _ in $(seq 300); do
        [ "$(shown "$1")" != "$2" ] || return 0
        sleep 0.2
    done
    fail "$1 is not $2"
}

log_has() {
    journalctl --no-pager -o cat -u $unit | grep -q "$1"
}

for _ in $(seq 100); do
    systemctl is-system-running >/dev/null 2>&1 && break
    sleep 0.2
done
systemctl daemon-reload
systemctl start $unit || fail "it does not start"
curl -fsS $url/readyz >/dev/null || fail "it is started and does not answer"
ok "Type=notify: started when it answers; $(shown StatusText)"
/opt/tfaas-onnx/bin/runtime healthcheck --url $url || fail "it is not healthy"
log_has 'behind Landlock.*seccomp' || fail "the walls do not stand"
ok "the walls stand: $(journalctl --no-pager -o cat -u $unit | grep -o 'behind .*' | head -1)"
[ "$(systemctl show --property DynamicUser --value $unit)" = yes ]
pid=$(shown MainPID)
[ "$(awk '/^CapBnd/ {print $2}' "/proc/$pid/status")" = 0000000000000000 ] || fail "it has privileges"
[ "$(awk '/^NoNewPrivs/ {print $2}' "/proc/$pid/status")" = 1 ] || fail "NoNewPrivileges"
ok "user $(stat -c %U "/proc/$pid"), no privilege, filter $(awk '/^Seccomp:/ {print $2}' "/proc/$pid/status")"

[ "$(curl -s -o /dev/null -w '%{http_code}' --data-binary @/root/bundle.tar $url/upload)" = 401 ]
told=$(curl -sS -H "Authorization: Bearer $token" --data-binary @/root/bundle.tar $url/upload)
case $told in *'"version":1'*) ;; *) fail "the upload: $told" ;; esac
ok "an upload is tried behind the walls, and published: $told"
ask() {
    curl -sS --retry 60 --retry-connrefused --retry-delay 1 -H 'Content-Type: application/json' \
        -d '{"model": "linear", "values": [1, 2, 3, 4]}' $url/predict
}
[ "$(ask)" = '[1.0,2.0,7.0]' ] || fail "the answer is $(ask)"
ok "it predicts"

kill -9 "$pid"
until_shown NRestarts 1
until_shown ActiveState active
[ "$(ask)" = '[1.0,2.0,7.0]' ] || fail "the answer is $(ask)"
ok "it is back after SIGKILL, with its model"

kill -STOP "$(shown MainPID)"
until_shown NRestarts 2
until_shown ActiveState active
[ "$(ask)" = '[1.0,2.0,7.0]' ] || fail "the answer is $(ask)"
ok "it is back after its parent hung for WatchdogSec"

begun=$(date +%s)
systemctl stop $unit
[ "$(shown Result)" = success ] || fail "it ended with $(shown Result)"
ok "it ends within $(($(date +%s) - begun)) s"

cp /etc/tfaas-onnx/config.json /root/config.json
echo '{"prot": 8083}' > /etc/tfaas-onnx/config.json
! systemctl start $unit 2>/dev/null || fail "it starts with a wrong setting"
[ "$(shown ExecMainStatus)/$(shown NRestarts)" = 2/0 ] || fail "a wrong setting restarts it"
ok "a wrong setting is told once, and it stays down"
cp /root/config.json /etc/tfaas-onnx/config.json

mkdir -p /run/systemd/system/$unit.service.d
printf '[Service]\nSystemCallFilter=~landlock_create_ruleset\n' > /run/systemd/system/$unit.service.d/less.conf
systemctl daemon-reload
systemctl reset-failed $unit
systemctl start $unit || fail "it does not start"
log_has 'are not opened here' || fail "a filter takes the walls away unseen"
ok "a filter without Landlock's calls is told, because walls is 'require'"
rm /run/systemd/system/$unit.service.d/less.conf
systemctl daemon-reload
systemctl stop $unit
systemd-analyze security --no-pager $unit.service | tail -1
