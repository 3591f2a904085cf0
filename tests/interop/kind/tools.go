//go:build tools

// Package kind pins the program that `make kind` is tested with.
package kind

import _ "sigs.k8s.io/kind"
