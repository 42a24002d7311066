"""Evidence that goes on changing: states of a review, what differs between them, what is new and gone."""
