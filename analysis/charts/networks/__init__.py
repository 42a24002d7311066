"""Charts of networks: geometry, forests, leagues, ranks, inconsistency, posteriors."""
