"""Threads: conversations, their turns, and their record on disk."""
