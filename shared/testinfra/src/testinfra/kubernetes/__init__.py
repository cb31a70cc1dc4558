"""Kubernetes: one module a rung (fake, apiserver, external), and what is done with any of them."""
