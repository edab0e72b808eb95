"""The HTTP rim: hooks, interface, console pages, health, authentication.

It reads requests and writes answers; what they mean is decided by the pure parts below.
"""
