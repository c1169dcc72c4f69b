"""What `bench speed` measures: fusetrack and its parts, and its peers, on the same clips."""
