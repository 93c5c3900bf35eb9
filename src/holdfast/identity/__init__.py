"""Who is who: businesses, the tenants of everything else."""
