"""PostgreSQL: its pool, its notifications, and the append."""
