"""Hub on loopback, for the real client of the Hub."""
