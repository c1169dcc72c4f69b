"""Search a run for people, by words and by a picture."""
