"""Values: ids, times, money and payloads, each checked in one place."""
