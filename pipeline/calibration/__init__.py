"""Point pairs to the ground of a camera, and a picture to check it by eye."""
