"""Puts the parts together: runs, processes, workers, reloading, stopping."""
