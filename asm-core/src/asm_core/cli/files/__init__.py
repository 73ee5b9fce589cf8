"""Files that commands write and find."""
