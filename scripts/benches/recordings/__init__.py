"""Recordings of several cameras, read for the benches."""
