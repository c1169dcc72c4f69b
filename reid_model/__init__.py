"""From a person crop to a unit vector: networks, preprocessing and the batched embedder."""
