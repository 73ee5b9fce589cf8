"""Arguments and options of commands, and the store that they choose."""
