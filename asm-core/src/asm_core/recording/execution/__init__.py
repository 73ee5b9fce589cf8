"""Execution of one run: its threads, what it stores, and its result."""
