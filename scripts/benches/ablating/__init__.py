"""The ablation of the paper's claims."""
