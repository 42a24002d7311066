"""Formats of other analysis programs, written from the networks and comparisons that our own engines fit.

Writers for `evidence.export`: each takes a `evidence.selection.Selection` and a folder, and returns the files
it wrote. What a program is given is what our engines are given, so that its numbers can be held against ours.
"""
