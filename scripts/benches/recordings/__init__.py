"""Readers of multi-camera recordings for the benches."""
