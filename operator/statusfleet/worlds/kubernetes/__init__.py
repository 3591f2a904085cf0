"""The Kubernetes world: members as StatefulSets of one replica, reached through Services."""
