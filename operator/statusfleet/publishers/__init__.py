"""Sinks that show a tree to the world: one a module, behind the protocol of `sink`.

`build` makes those of a spec. Nothing is imported here, so that a laptop loads no cluster client.
"""
