"""How the events of a session are shown."""
