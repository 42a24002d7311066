"""Reading other tools' files into a review folder."""
