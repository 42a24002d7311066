"""The review folder: its files, what may stand in them, and how they are checked."""
