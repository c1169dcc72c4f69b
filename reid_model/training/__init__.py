"""Training of the fused ReID model: prompts first, then the image encoder."""
