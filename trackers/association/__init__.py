"""Which tracklets are one person: evidence, hard rules, one-to-one assignment, in event time."""
