"""The Status node: a re-implementation of status-go's statusd and of its protocols."""

__version__ = "0.1.0"
