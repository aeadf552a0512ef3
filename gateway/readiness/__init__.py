"""Is what stands behind the routes fit for agents: four questions, answered from live probes and from the snapshot."""
