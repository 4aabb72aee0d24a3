"""Many hosts: connecting, looking, planning and applying side by side, and stopping."""
