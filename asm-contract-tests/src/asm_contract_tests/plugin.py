"""The pytest plugin: markers and assertion rewriting."""
