"""Tables that people keep, understood as a whole: what each column is about, and what it holds."""
