"""Writing subsets of the evidence for other tools."""
