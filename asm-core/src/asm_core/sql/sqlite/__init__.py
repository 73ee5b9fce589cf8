"""SQLite: its driver, its file, and the append."""
