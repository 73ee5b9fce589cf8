"""Keep what AI agents did: sessions, runs, and every event, in order, for good."""
