"""A node: frames of N cameras in, observations and tracklets out."""
