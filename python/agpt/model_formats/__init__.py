"""Files of models that other programs write or read: one module a format."""
