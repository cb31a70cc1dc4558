"""How any server lives, whatever its kind: processes, readiness, ports, leases, keepers. Knows no kind of server."""
