"""Weights and demo clips by name: their sources and their hashes."""

from pipeline.weights.fetch import pull
from pipeline.weights.manifest import Weights, load_manifest
from pipeline.weights.store import FileState, entry_by_hash, verify, weights_files, weights_path

__all__ = [
    "FileState",
    "Weights",
    "entry_by_hash",
    "load_manifest",
    "pull",
    "verify",
    "weights_files",
    "weights_path",
]
