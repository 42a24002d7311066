"""The machine underneath: files, memory, bounds of what is read, resources of the package."""
