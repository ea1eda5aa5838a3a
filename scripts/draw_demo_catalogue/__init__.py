"""Draws the bundled demo catalogue and the sample pictures; see ``data/demo/README.md``."""
