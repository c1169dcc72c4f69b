"""Pictures and videos of a run: boxes, labels, colours, times and blurring."""
