"""Wires: these rooms know bytes and no message."""
