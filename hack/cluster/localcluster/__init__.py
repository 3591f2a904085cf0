"""A real Kubernetes on one Linux machine without a container engine; `../cluster` runs it."""
