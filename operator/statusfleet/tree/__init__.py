"""Which records a fleet's tree holds, its sequence number, and how a new tree replaces an old one.

All of it is pure: time is an argument, and whoever asks acts on the answer.
"""
