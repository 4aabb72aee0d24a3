"""What the user wrote: inventory, playbooks, variables, templates, secrets and files, up to the work for each host."""
