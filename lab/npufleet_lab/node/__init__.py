"""What runs on a simulated node: its boot, its metadata server, the simulated Ascend tools; all standard library."""
