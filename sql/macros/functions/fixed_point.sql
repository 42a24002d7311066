-- Title: A number between -1 and 1 in units of 1e-30, to be summed without rounding
-- Formula: the whole number nearest to 1e30 x
-- Reference: Demmel and Nguyen 2013, 21st IEEE Symposium on Computer Arithmetic, 163-172, on why and how else
-- Caveats: A tool of the pooling views. Floating-point sums depend on the order of their terms, hence on the order of
--   rows and on the number of threads; whole numbers have one sum. Up to 1e8 terms.
create or replace macro fixed_point(x) as cast(1e30 * (x) as decimal(38, 0));
