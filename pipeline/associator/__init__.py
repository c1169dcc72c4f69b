"""The association service: tracklets of all cameras in, identities out."""
