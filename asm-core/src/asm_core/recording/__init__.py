"""Execution and recording of agents."""
