"""Mode ``ipvs`` where the kernel has no IPVS: the compiled plan, evaluated by nf_tables."""
