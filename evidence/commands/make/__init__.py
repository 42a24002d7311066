"""Commands that make a review and hold it up: new, import, readings, simulate, build, check."""
