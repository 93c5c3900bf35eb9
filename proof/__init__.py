"""What anyone can repeat: faults, failover, mutations, sizes; each command writes its part of docs/proof.md."""
