"""Tables of risk of bias: which item a column is, what a cell says, and the importer on them."""
