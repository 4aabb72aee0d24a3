#!/bin/sh
# A VM goes from Windows Server 2012 to 2012 R2 while it runs, and not back. Run by `make lab-estate`.
set -u
. playbooks/shown.sh
export XDG_STATE_HOME="$PWD/build/lab/estate" HVCTL_INVENTORY=mocks/estates/moves/inventory.yml
rm -rf "$XDG_STATE_HOME"

note 'Live migration is set up on both hosts first; until then the move is held back, and says why.'
run hvctl apply playbooks/upgrade.yml --auto-approve
note 'Now it could go, and needs consent.'
run hvctl plan playbooks/upgrade.yml
run hvctl apply playbooks/upgrade.yml --auto-approve --allow move
moved=$status
note 'It is there, and nothing is left to do.'
run hvctl plan playbooks/upgrade.yml --detailed-exitcode
settled=$status
note 'Back to 2012: there is no way.'
run hvctl plan playbooks/upgrade.yml -e home=hv21 --detailed-exitcode
[ "$moved" -eq 0 ] && [ "$settled" -eq 0 ] && [ "$status" -eq 2 ]
