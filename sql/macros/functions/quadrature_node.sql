-- Title: Nodes of the 24-point Gauss-Legendre rule on the interval from 0 to 1
-- Formula: (1 + root of the Legendre polynomial of degree 24) / 2
-- Reference: Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 25.4.29 and 25.4.30
-- Caveats: A tool of the distribution macros. Exact for polynomials up to degree 47; the integrands here fall by
--   e^-36 over the interval, which 24 points follow to 1e-13.
create or replace macro quadrature_node() as cast([
    2.4063900014893200e-03, 1.2635722014345251e-02, 3.0862723998633622e-02, 5.6792236497799485e-02,
    8.9999007013048540e-02, 1.2993790421072282e-01, 1.7595317403151223e-01, 2.2728926430558022e-01,
    2.8310324618697741e-01, 3.4247866015191830e-01, 4.0444056626319186e-01, 4.6797155356869719e-01,
    5.3202844643130276e-01, 5.9555943373680820e-01, 6.5752133984808170e-01, 7.1689675381302254e-01,
    7.7271073569441973e-01, 8.2404682596848777e-01, 8.7006209578927718e-01, 9.1000099298695147e-01,
    9.4320776350220048e-01, 9.6913727600136634e-01, 9.8736427798565474e-01, 9.9759360999851066e-01
] as double[]);
