# tests/oracles/effects_metafor.json: effects of two arms. The random data stay as the file has them.
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))), "common.R"))

kept <- from_json("effects_metafor.json")
both <- function(data, measures, ...) {
  for (m in measures) {
    e <- do.call(escalc, c(list(m), lapply(list(...), function(column) data[[column]])))
    data[[paste0(m, "_y")]] <- as.vector(e$yi)
    data[[paste0(m, "_v")]] <- e$vi
  }
  data
}
say(
  source = kept$source,
  continuous = both(kept$continuous, c("MD", "SMD", "ROM"), m1i = "m1", m2i = "m2", sd1i = "s1", sd2i = "s2", n1i = "n1", n2i = "n2"),
  binary = both(kept$binary, c("OR", "RR", "RD"), ai = "e1", ci = "e2", n1i = "n1", n2i = "n2"),
  rate = both(kept$rate, c("IRR", "IRD"), x1i = "x1", x2i = "x2", t1i = "t1", t2i = "t2")
)
