"""Drift checks at fixed times: what is to be run when, as systemd, cron and the Windows Task Scheduler want it."""
