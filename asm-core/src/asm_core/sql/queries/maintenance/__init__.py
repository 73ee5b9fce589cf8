"""SQL of retention, removal and erasure, and of checks."""
