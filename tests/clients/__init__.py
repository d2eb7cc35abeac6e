"""Unmodified clients of the genuine server, working with ours."""
