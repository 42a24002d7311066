"""Small-study effects: tests of asymmetry, trim and fill, selection models."""
