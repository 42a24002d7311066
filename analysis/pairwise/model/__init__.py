"""What a pairwise model is made of: weights, heterogeneity, inference, robust variances."""
