"""What can be had: models, skills, and much that there is none of."""
