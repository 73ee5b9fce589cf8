"""Locks and context managers that are safe under threads, signal handlers and forks."""
