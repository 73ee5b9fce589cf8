"""Ids, times, money and payloads, and their checks."""
