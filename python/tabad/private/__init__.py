"""Privacy by construction: differentially private rows, with one (epsilon, delta) for all that looked at the table."""
