"""How firm an answer is: what other choices, other data and other studies would do to it."""
