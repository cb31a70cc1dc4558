"""The test stand: real servers for tests, started once, shared by lease, gone when the last lease is.

Kept empty of imports: the keeper starts as ``python -m testinfra.servers.keeper`` and pays for every one.
"""
