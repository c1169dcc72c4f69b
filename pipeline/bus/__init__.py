"""Redis Streams between node, associator and recorder; only this package imports redis."""
