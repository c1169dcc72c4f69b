"""Fit the ground homography of a camera to point pairs, and draw it for a visual check."""
