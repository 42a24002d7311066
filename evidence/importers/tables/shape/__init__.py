"""What a table is: rows of arms, of studies with several groups, or of contrasts; and what each column holds.

All columns are looked at before any is decided, so that their order says nothing. Each column gets a subject
(study, arm, contrast, measurement) and a meaning, from its name, its cells and the other columns. What a
person maps wins; what two columns claim with equal right is refused with both named. The way in is
`evidence.importers.tables.shape.understand.understand`.
"""
