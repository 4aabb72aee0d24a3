#!/bin/sh
# The Monday morning of 300 hosts: 7 have drifted, 2 are away. Run by `make lab-fleet`; with KEEP=1 the dashboard stays up.
set -u
run() {
    printf '\n\033[1m$ %s\033[0m\n' "$*"
    "$@"
    status=$?
    [ "$status" -eq 0 ] || printf '(exit status %s)\n' "$status"
}
note() { printf '\n# %s\n' "$*"; }
failed=0
expect() { [ "$status" -eq "$1" ] || { failed=1; printf '(exit status %s was expected)\n' "$1"; }; }
export XDG_STATE_HOME="$PWD/build/lab/fleet/state" HVCTL_INVENTORY=build/lab/fleet/hosts/inventory.yml
out=build/lab/fleet
page=http://127.0.0.1:${PORT:-8480}/

note 'The schedule, as it would be installed: a check of all hosts every quarter of an hour.'
run hvctl schedule install --print --name fleet --every 15m --metrics "$out/hvctl.prom" playbooks/fleet.yml
expect 0
note 'Friday evening, the command of that unit: 300 hosts at three sites are as written.'
run hvctl drift playbooks/fleet.yml --exclusive fleet --metrics "$out/hvctl.prom"
expect 0
note 'Over the weekend people change seven hosts by hand, and two lose their power.'
run python -m mocks invoke hv017,hv118,hv119,hv230 Set-VMProcessor VMName=web01 RelativeWeight=200
expect 0
run python -m mocks invoke hv042,hv251 Set-VMNetworkAdapterVlan VMName=files01 Access=true VlanId=30
expect 0
run python -m mocks invoke hv205 Stop-VM Name=db01 Force=true
expect 0
run python -m mocks power hv150,hv299 off
expect 0
note 'Monday morning. Only what is not as written is listed, the worst first; 2 drifted and 4 not reached make exit status 6.'
run hvctl drift playbooks/fleet.yml --exclusive fleet --metrics "$out/hvctl.prom" --report "html=$out/drift.html,json=$out/drift.json"
expect 6
printf '\nThe report: %s\n' "$PWD/$out/drift.html"
note 'What is open, from the history alone, for all and for one VM of one site.'
run hvctl history --open
expect 0
run hvctl history tokyo --open --vm web01
expect 0
note 'What Prometheus would read.'
run grep '^hvctl_hosts' "$out/hvctl.prom"
expect 0
for line in '"in_sync"} 291' '"drifted"} 7' '"unreachable"} 2'; do
    grep -q "^hvctl_hosts{state=$line" "$out/hvctl.prom" || { failed=1; printf '(hvctl_hosts{state=%s was expected)\n' "$line"; }
done
note 'The dashboard: it is started, and its overview asked for as JSON.'
printf '\n\033[1m$ hvctl serve &\033[0m\n'
hvctl serve --listen "127.0.0.1:${PORT:-8480}" &
dashboard=$!
trap 'kill "$dashboard" 2> /dev/null' EXIT
run python -m mocks overview "$page" in_sync=291 drifted=7 away=2
expect 0
if [ "${KEEP:-}" = 1 ]; then
    printf '\nThe dashboard stays at %s until Ctrl-C.\n' "$page"
    trap : INT  # it ends the waiting; jobs in the background do not hear it
    wait "$dashboard"
fi
kill "$dashboard"
wait "$dashboard"
status=$?
expect 0
trap - EXIT
exit "$failed"
