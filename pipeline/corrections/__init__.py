"""Corrections by people: checked, made in a run that has ended, or sent to a running site."""
