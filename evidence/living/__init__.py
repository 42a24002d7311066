"""Evidence that goes on changing: states of a review, what differs between them, and what is new."""
