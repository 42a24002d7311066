"""Analyses of evidence that goes on changing: what is run again, what moved, and because of what."""
