"""Counts people: stays in cameras and zones, crossings of lines, transitions, occupancy, speed."""
