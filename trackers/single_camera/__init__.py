"""One camera: boxes to tracks, tracks to crops and tracklets."""
