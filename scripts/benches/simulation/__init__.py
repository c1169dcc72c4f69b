"""A simulated day on a site: the tracklets that its nodes would send, and the ground truth.

It replaces the nodes of the pipeline and needs only numpy and `trackers`.
"""
