"""The operator on a cluster: watches wake a task of our own for each fleet.

Kopf watches the fleets and does nothing else: it sets no annotation and no finalizer, runs no
change handler, keeps no index (`mirror` says why), and elects no leader. What is done for a fleet
is decided by `reconcile`.
"""
