#!/bin/sh
# A cluster of 2019 and 2022, in the middle of an upgrade: what it says of itself, and the older node emptied. Run by
# `make lab-estate`.
set -u
. playbooks/shown.sh
export XDG_STATE_HOME=build/lab/rolling HVCTL_INVENTORY=mocks/estates/rolling/inventory.yml
rm -rf "$XDG_STATE_HOME"
mkdir -p "$XDG_STATE_HOME"

note 'A cluster whose second node runs 2022 already: until its functional level is raised it works as one of 2019.'
run hvctl apply playbooks/rolling.yml --auto-approve
expect 0
note 'The older node takes over while the newer one is serviced. The VM can go there: it was made with the version of 2019.'
run hvctl cluster drain hv12 --auto-approve
expect 0
note 'Back: the role returns.'
run hvctl cluster resume hv12 --auto-approve
expect 0
run hvctl drift playbooks/rolling.yml
expect 0
note 'The node of 2022 loses its power. After five minutes (resiliency) db01 is started on the other one; when the node is back, drift'
printf '# says that db01 is off its owner (which a real cluster may have taken back by then).\n'
run python -m mocks power hv12 off
run python -m mocks pass 10m
run hvctl drift playbooks/rolling.yml
expect 4
run python -m mocks power hv12 on
run hvctl drift playbooks/rolling.yml
expect 2
exit "$failed"
