"""Faults are injected into a run of a node's script; the next run ends where an undisturbed one does."""
