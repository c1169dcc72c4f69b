"""ReID networks as the command line and the configuration use them: embedding and training."""
