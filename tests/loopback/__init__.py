"""A Hub on loopback: it speaks the Hub's protocol to the real client."""
