"""Metrics, health, progress and logs of what runs."""
