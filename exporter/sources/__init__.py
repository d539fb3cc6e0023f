"""Find, check and load the model that is converted."""
