"""Fleets of Status nodes: one manifest, on a laptop or on a cluster."""
