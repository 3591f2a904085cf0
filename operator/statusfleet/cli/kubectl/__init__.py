"""`kubectl statusfleet`: look at the fleets of a cluster, and tell its operator what to do.

Nothing here does the operator's work. A command reads what the operator wrote, or changes the
StatusFleet that it goes by.
"""
