"""Each study left out in turn, in order, or in every combination."""
