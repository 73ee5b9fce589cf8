"""Rows of the tables, and the values that they hold."""
