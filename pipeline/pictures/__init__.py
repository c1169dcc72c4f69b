"""Pictures and video of a run: boxes, ids, colours, clocks and blurring."""
