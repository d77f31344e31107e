"""Statistics on arrays: scores, intervals, the shortcut probe."""
