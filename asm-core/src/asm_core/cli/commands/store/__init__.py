"""Commands that work on the whole store."""
