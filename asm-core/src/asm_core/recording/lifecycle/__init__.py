"""The lifecycle of a run: which process executes it, what it has used, and how it ends."""
