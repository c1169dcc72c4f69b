"""What `./scripts/bench soak` is made of: cameras, faults, what is watched, figures, picture."""
