"""Build scripts of the bundled data; nothing here is imported while the app runs."""
