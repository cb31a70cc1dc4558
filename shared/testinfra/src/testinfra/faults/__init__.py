"""Faults on demand, on servers that a test has for itself; each proves that it happened and that it healed."""
