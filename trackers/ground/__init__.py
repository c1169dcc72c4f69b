"""People on the ground of calibrated cameras: projection, motion, following."""
