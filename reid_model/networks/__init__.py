"""The networks: image encoders, text encoders, MSCSA and text guidance."""
