"""Words: the types of everything that is said, and one table; no I/O, no Trio."""
