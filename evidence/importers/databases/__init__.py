"""Databases that many reviews come from, in layouts of their own: SyRF, Metapsy, MetaLab."""
