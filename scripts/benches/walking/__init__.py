"""Walks of real people past cameras: exact truth, and the vectors of their own crops."""
