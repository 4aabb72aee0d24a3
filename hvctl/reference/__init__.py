"""What may be written, told from the models: the reference, the schemas for editors, and `hvctl explain`."""
