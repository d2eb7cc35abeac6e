"""What codex-trio and the genuine server cost their clients, measured side by side.

``python -m benchmarks`` runs it. Nothing here judges: figures are reported, next to targets.
"""
