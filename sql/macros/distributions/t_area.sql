-- Title: Integral of t_shape over a stretch of s
-- Formula: 24-point Gauss rule on [start, start + width]
-- Reference: Abramowitz and Stegun 1964, Handbook of Mathematical Functions, 25.4.30
-- Caveats: A tool of the t distribution's macros. Good for stretches over which t_shape falls by no more than e^-36.
create or replace macro t_area(start, width, b) as
list_transform([struct_pack(start := start, width := width, b := b)], lambda p:
    p['width'] * list_dot_product(
        quadrature_weight(),
        list_transform(
            list_transform(quadrature_node(), lambda node: p['start'] + p['width'] * node),
            lambda s: t_shape(s, p['b'])
        )
    )
)[1];
