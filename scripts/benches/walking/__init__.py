"""Simulated walks past cameras with the embeddings of real crops and exact ground truth."""
