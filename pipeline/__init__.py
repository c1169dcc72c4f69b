"""The running system: sources, detector, node, bus, associator, recorder, API, command line."""
