"""Running agents and recording what they do."""
