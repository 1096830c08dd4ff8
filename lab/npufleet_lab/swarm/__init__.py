"""A simulated fleet: the agents' real HTTP application for thousands of nodes that do not exist, in few processes.

Heavy: it imports the agent itself, so nothing of it is loaded before `npufleet lab swarm` is called.
"""

from __future__ import annotations
