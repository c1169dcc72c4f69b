"""Writes the streams into the run directory; retention and forgetting."""
