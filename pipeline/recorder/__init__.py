"""Streams into the run directory; retention and forgetting."""
