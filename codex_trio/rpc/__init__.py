"""Talk: these rooms know messages, and no method of Codex."""
