"""Sinks that show a tree to the world. Here: a DNS server of our own, in this process."""
