"""Why a node cannot start."""


class StartError(Exception):
    """The node cannot start; the message is one sentence for the person who started it."""
