"""ReID networks at work and in training, out of what the command line and configuration say."""
