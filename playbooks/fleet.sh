#!/bin/sh
# A Monday morning with 300 simulated hosts: 7 were changed by hand, 2 are away. Run by `make lab-fleet`.
# With HVCTL_LAB_STAY=1 the pages stay there at the end, until Ctrl-C.
set -u
. playbooks/shown.sh
export XDG_STATE_HOME="$PWD/build/lab/fleet" HVCTL_INVENTORY=build/fleet/inventory.yml
rm -rf "$XDG_STATE_HOME"

note 'Friday: all is as the playbook says, but two hosts do not answer.'
run hvctl drift playbooks/fleet.yml
friday=$status
note 'On the weekend seven are changed by hand.'
run python -m mocks invoke hv007.sendai,hv022.osaka,hv100.osaka,hv101.fukuoka,hv150.sapporo Set-VMProcessor VMName=web01 RelativeWeight=50
run python -m mocks invoke hv222.sapporo Set-VMNetworkAdapterVlan VMName=db01 Access=true VlanId=30
run python -m mocks invoke hv290.tokyo Stop-VM Name=db01 Force=true TurnOff=true
note 'Monday: what is not in sync, the worst first; a page for the team, and metrics.'
mkdir -p build/lab
run hvctl drift playbooks/fleet.yml --report html=build/lab/fleet.html --metrics build/lab/fleet.prom
monday=$status
printf '\nThe report: %s\n' "$PWD/build/lab/fleet.html"
grep '^hvctl_hosts' build/lab/fleet.prom
note 'What is open, from the history: no host is asked.'
run hvctl history --open
note 'Put right, one host first, then a tenth, then the rest; one that fails stops it. A VLAN needs the word disconnect.'
run hvctl apply playbooks/fleet.yml --limit 'all:!hv299.fukuoka:!hv300.sapporo' --allow disconnect --max-failures 0 --auto-approve
note 'And seen in sync.'
run hvctl drift playbooks/fleet.yml
mended=$status
note 'The pages that read the history, and the same as JSON.'
hvctl serve --listen 127.0.0.1:8480 > build/lab/serve.log 2>&1 &
pages=$!
run python -m mocks overview http://127.0.0.1:8480/ in_sync=298 unreachable=2
shown=$status
if [ -n "${HVCTL_LAB_STAY:-}" ]; then
    printf '\nLook at http://127.0.0.1:8480/; Ctrl-C ends it.\n'
    wait "$pages"
fi
kill "$pages" 2> /dev/null
wait "$pages" 2> /dev/null
[ "$friday" -eq 4 ] && [ "$monday" -eq 6 ] && [ "$mended" -eq 4 ] && [ "$shown" -eq 0 ]
