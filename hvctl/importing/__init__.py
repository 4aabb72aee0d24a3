"""From hosts as they are to playbooks that say so."""
