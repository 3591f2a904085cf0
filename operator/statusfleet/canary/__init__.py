"""A probe that posts a message through a fleet and fetches it back: a program of its own.

It stands on `statusnode` alone and speaks to members over RLPx, as any client would.
"""
