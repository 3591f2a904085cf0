"""The operator on a cluster: Kopf's watches wake a task of our own for each fleet.

Kopf is the runtime of watches and indices and nothing else: it sets no annotation and no finalizer,
runs no change handler, and elects no leader. What is done for a fleet is decided by `reconcile`.
"""
