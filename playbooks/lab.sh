#!/bin/sh
# The main job on the example lab, each command as a user would type it. Run by `make lab`.
set -u
. playbooks/shown.sh

# What is remembered of the checks stays in the clone, and begins anew with the hosts.
export XDG_STATE_HOME="$PWD/build/lab/state"
rm -rf "$XDG_STATE_HOME"

note 'Is the playbook right? No host is asked for that.'
run hvctl validate playbooks/lab.yml
note 'What would change? hv03 refuses connections; that stays its own trouble.'
run hvctl plan playbooks/lab.yml
note 'Do it. What needs a VM off, or a disk or adapter to blink, needs consent.'
run hvctl apply playbooks/lab.yml --auto-approve --allow restart,disconnect,recreate,management
note 'Again: nothing is left to do.'
run hvctl plan playbooks/lab.yml --limit 'lab:!hv03.tokyo' --detailed-exitcode
note 'A copy of a running VM, now; and what a playbook of copies says: a checkpoint that somebody forgot.'
run hvctl export web01 playbooks/copies.yml --limit hv02.osaka --auto-approve
run hvctl plan playbooks/copies.yml --limit 'lab:!hv03.tokyo'
note 'A drift check, as it would run every quarter of an hour.'
run hvctl drift playbooks/lab.yml --limit 'lab:!hv03.tokyo'
note 'Somebody changes a VM by hand. The next check sees it: exit status 2.'
run python -m mocks invoke hv02.osaka Set-VMProcessor VMName=web01 RelativeWeight=100
run hvctl drift playbooks/lab.yml --limit 'lab:!hv03.tokyo'
note 'And again. The check after that knows what is new, and writes a report.'
run python -m mocks invoke hv02.osaka Set-VMNetworkAdapterVlan VMName=web01 Access=true VlanId=30
run hvctl drift playbooks/lab.yml --limit 'lab:!hv03.tokyo' --report html=build/lab/drift.html
drifted=$status
printf '\nThe report: %s\n' "$PWD/build/lab/drift.html"
note 'The weight may stay so for a while, with everybody knowing: it is told apart and left alone. The VLAN is not.'
run hvctl drift playbooks/lab.yml playbooks/accepted.yml --limit 'lab:!hv03.tokyo'
note 'From an existing host: what hv02.osaka has, as a playbook. Planned, it changes nothing; edited, what was edited.'
rm -f build/lab/hv02.yml
run hvctl -i playbooks/inventory.yml import hv02.osaka --out build/lab/hv02.yml
run hvctl -i playbooks/inventory.yml plan build/lab/hv02.yml --detailed-exitcode
run sed -i 's/processor: {count: 4/processor: {count: 2/' build/lab/hv02.yml
run hvctl -i playbooks/inventory.yml plan build/lab/hv02.yml
note 'What do the VMs use? Their meters are read, ten days are made to pass, and they are read again.'
run hvctl metering playbooks/lab.yml --limit 'lab:!hv03.tokyo'
run python -m mocks pass 10d
note 'Meanwhile somebody resets the meters of a VM.'
run python -m mocks invoke hv02.osaka Reset-VMResourceMetering VMName=web01
run python -m mocks pass 20d
run hvctl metering playbooks/lab.yml --limit 'lab:!hv03.tokyo'
note 'The bill of that month (the simulated hosts began it on April 1), and the same as a page with charts.'
run hvctl metering report --month 2026-04 --group-by owner --prices playbooks/prices.yml
run hvctl metering report --month 2026-04 --group-by owner --prices playbooks/prices.yml --format html --out build/lab/bill.html
printf '\nThe bill: %s\n' "$PWD/build/lab/bill.html"
note 'A VM of generation 1 is to become one of generation 2: told, and refused where something stands in the way.'
run hvctl plan playbooks/generation.yml --limit 'lab:!hv03.tokyo'
note 'With consent it is done where nothing does: described, recorded, looked into, removed, and made anew.'
run hvctl apply playbooks/generation.yml --limit hv02.osaka --auto-approve --allow recreate,destroy
printf '\nTo go on alone:\n    . .venv/bin/activate\n    python -m mocks run -- hvctl plan playbooks/lab.yml\n'
[ "$status" -eq 0 ] && [ "$drifted" -eq 2 ]
