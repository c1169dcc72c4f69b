"""People of a day on a site that does not exist: what its nodes would send, and who it really was.

It stands in for the nodes, which belong to the pipeline; it needs numpy and `trackers` only.
"""
