"""What is configured, layer by layer: read while the server runs, and written for clients."""
