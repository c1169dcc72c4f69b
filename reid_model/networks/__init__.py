"""The networks: image encoders, text encoders, aggregation and guidance."""
