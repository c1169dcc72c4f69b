"""Metrics, health, progress and logs of running processes."""
