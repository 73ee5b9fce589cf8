"""What threads, signal handlers and forks may do at any instant."""
