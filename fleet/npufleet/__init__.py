"""The control side: one CLI and library for the whole fleet."""
