"""First contact with a host: what keeps hvctl from working there, ranked, each cause with one remedy.

Seen from outside (`way`) and asked over WinRM (`questions`), kept as evidence, and judged by pure functions.
"""
