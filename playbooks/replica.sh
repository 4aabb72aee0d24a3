#!/bin/sh
# A VM is replicated to a second site and on to a third one; a pause is found, a failover tried. Run by `make lab-estate`.
set -u
. playbooks/shown.sh
export XDG_STATE_HOME=build/lab/replica HVCTL_INVENTORY=mocks/estates/replica/inventory.yml
rm -rf "$XDG_STATE_HOME"

note 'Three sites: the replica servers, then the replication, then the adapters of the replica. The third site waits for the initial copy.'
run hvctl apply playbooks/replica.yml --auto-approve
expect 2
note 'An hour later the copy is there: the second host sends on to the third.'
run python -m mocks pass 1h
run hvctl apply playbooks/replica.yml --auto-approve
expect 0
note 'And once that copy is there as well, all is as it should be.'
run python -m mocks pass 1h
run hvctl drift playbooks/replica.yml
expect 0
note 'Somebody pauses the replication. The next check finds it, and apply resumes it.'
run python -m mocks invoke hv01 Suspend-VMReplication VMName=web01
run hvctl drift playbooks/replica.yml
expect 2
run hvctl apply playbooks/replica.yml --auto-approve
expect 0
note 'Would it start at the second site? A VM for tests is made from the replica there, and removed again; replication goes on.'
run hvctl replica test web01 --on hv02 --auto-approve
expect 0
run hvctl replica cancel web01 --on hv02 --auto-approve
expect 0
run hvctl drift playbooks/replica.yml
expect 0
exit "$failed"
