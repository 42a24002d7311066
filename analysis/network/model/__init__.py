"""What every engine is made of: designs, likelihoods, priors, least squares, quadrature, posteriors."""
