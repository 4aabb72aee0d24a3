#!/bin/sh
# A cluster of two nodes: roles, a move behind hvctl's back, a node that is lost, maintenance. Run by `make lab-estate`.
set -u
. playbooks/shown.sh
export XDG_STATE_HOME=build/lab/cluster HVCTL_INVENTORY=mocks/estates/cluster/inventory.yml
rm -rf "$XDG_STATE_HOME"
mkdir -p "$XDG_STATE_HOME"
changed="$XDG_STATE_HOME/changed.yml"

note 'A cluster of two nodes of 2012 R2: both get the switch, and two VMs are made with their roles, on the first owner preferred.'
run hvctl apply playbooks/cluster.yml --auto-approve
expect 0
note 'The playbook is edited: web01 gets more weight, and belongs on hv01 alone.'
cp playbooks/cluster.yml "$changed"
run sed -i -e 's/memory: {startup: 2GB}/processor: {weight: 200}/' -e 's/preferred_owners: .*/preferred_owners: [hv01]/' "$changed"
note 'Planned: both are changes on hv01, which owns the role.'
run hvctl plan "$changed" --detailed-exitcode
expect 2
note 'Somebody moves the role. The next plan finds it, changes web01 on hv02, and would bring it home if that were allowed.'
run python -m mocks invoke hv01 Move-ClusterVirtualMachineRole Name=web01 Node=HV02 MigrationType=Live
run hvctl plan "$changed" --detailed-exitcode
expect 2
run hvctl apply "$changed" --auto-approve --allow move
expect 0
note 'hv01 loses its power, and the cluster starts web01 on hv02. What hv01 had is not missed; that the node is down is told.'
run python -m mocks power hv01 off
run hvctl drift "$changed"
expect 4
note 'It is back, and web01 is off its preferred owner, with failback allowed: that is drift, and apply brings it home.'
run python -m mocks power hv01 on
run hvctl drift "$changed"
expect 2
run hvctl apply "$changed" --auto-approve --allow move
expect 0
note 'Maintenance of hv01: what moves, and how, is shown first.'
run hvctl cluster drain hv01 --check
run hvctl cluster drain hv01 --auto-approve
expect 0
note 'As long as it lasts, every plan says so.'
run hvctl plan "$changed"
note 'And back.'
run hvctl cluster resume hv01 --auto-approve
expect 0
run hvctl drift "$changed"
expect 0
exit "$failed"
