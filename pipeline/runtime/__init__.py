"""Puts the parts together: runs, processes, workers, reload_in_background, stopping."""
