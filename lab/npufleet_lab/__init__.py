"""The lab: simulated DevServer nodes on this machine; the only place where an NPU is simulated."""
