-- Title: The tail of the gamma distribution on the far side of its shape
-- Formula: x^a e^-x / Gamma(a) times
--   x >= a, upper tail: integral over s > 0 of exp(a s - x (e^s - 1)), up to where it has fallen by e^-36;
--   x < a, lower tail: the like integral I(a) of exp(-a s + x (1 - e^-s)), reached through I(a) = (1 + x I(a + 1)) / a
--   from a + 4, where it is close to a normal density for every a. Both by a 24-point Gauss rule.
-- Reference: Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 6.5.2, 6.5.3 and 6.5.21, with x e^s for
--   the variable of integration
-- Caveats: A tool of chi2_sf and chi2_cdf, for positive, finite a and x.
create or replace macro gamma_tail(x, a) as
list_transform([struct_pack(x := x, a := a)], lambda p:
    sqrt(p['a'] / (2 * pi())) * exp(
        case
            when p['x'] < p['a'] / 2 then p['a'] * (ln(p['x']) - ln(p['a'])) - (p['x'] - p['a'])
            else p['a'] * ln_1p((p['x'] - p['a']) / p['a']) - (p['x'] - p['a'])
        end - stirling_remainder(p['a'])
    )
    * case
        when p['x'] >= p['a'] then
            -- The far end x e^s = x + h is where a quadratic bound of the exponent reaches 36.
            list_transform([struct_pack(
                c := 1 - greatest(p['a'] - 1, 0) / (2 * p['x']),
                d := 36 - p['x'] + greatest(p['a'] - 1, 0)
            )], lambda h:
                list_transform([
                    ln_1p((h['d'] + sqrt(h['d'] * h['d'] + 144 * h['c'] * p['x'])) / (2 * h['c'] * p['x']))
                ], lambda width:
                    width * list_dot_product(
                        quadrature_weight(),
                        list_transform(
                            list_transform(quadrature_node(), lambda node: width * node),
                            lambda s: exp(p['a'] * s - p['x'] * (exp(s) - 1))
                        )
                    )
                )[1]
            )[1]
        else
            list_transform([struct_pack(a := p['a'] + 4, d := 18 - (p['a'] + 4 - p['x']))], lambda h:
                list_transform([(h['d'] + sqrt(h['d'] * h['d'] + 72 * h['a'])) / h['a']], lambda width:
                    (1 + p['x'] * (1 + p['x'] * (1 + p['x'] * (1 + p['x']
                        * width * list_dot_product(
                            quadrature_weight(),
                            list_transform(
                                list_transform(quadrature_node(), lambda node: width * node),
                                lambda s: exp(-h['a'] * s + p['x'] * (1 - exp(-s)))
                            )
                        )
                    ) / (p['a'] + 3)) / (p['a'] + 2)) / (p['a'] + 1)) / p['a']
                )[1]
            )[1]
    end
)[1];
