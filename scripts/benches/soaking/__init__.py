"""Parts of `./scripts/bench soak`: cameras, faults, monitoring, figures and picture."""
