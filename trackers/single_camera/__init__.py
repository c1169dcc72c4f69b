"""Tracking in one camera: detections to tracks, tracks to crops and tracklets."""
