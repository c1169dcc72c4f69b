"""Redis Streams between node, associator and recorder; the one home of the redis library."""
