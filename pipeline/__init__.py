"""The running system: sources, detector, node, bus, associator, recorder, exports, command line."""
