"""Ways into Trio, for programs that do not run on it: a thread, and stand-ins for what is there."""
