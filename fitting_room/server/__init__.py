"""The HTTP API: what a shop's own site asks, in the page's process and with its index."""
