# tests/oracles/pooling_subgroup.json: subgroups of dat.bcg by how the treatment was allocated (metafor, metadat).
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))), "common.R"))

d <- escalc("RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
sets <- split(d, d$alloc)
fits <- lapply(sets, function(set) sapply(c("EE", "DL"), function(m) rma(yi, vi, data = set, method = m), simplify = FALSE))
said <- function(f) list(beta = f$beta[1], se = f$se, tau2 = f$tau2, QE = f$QE, QEp = f$QEp)
between <- function(m) {
  f <- rma(sapply(fits, function(f) f[[m]]$beta[1]), sei = sapply(fits, function(f) f[[m]]$se), method = "EE")
  list(Q = f$QE, df = f$k - 1, p = f$QEp)
}
say(
  source = "metafor 5.1-0 (R 4.2.2), rma with method = EE and DL within each level and over the levels' estimates",
  data = paste("metadat 1.7-2, dat.bcg, log risk ratios: Colditz GA et al. (1994). Efficacy of BCG vaccine in the",
               "prevention of tuberculosis. JAMA 271:698-702"),
  study = paste(d$author, d$year), alloc = d$alloc, yi = as.vector(d$yi), vi = d$vi,
  levels = lapply(fits, function(f) lapply(f, said)), between = list(EE = between("EE"), DL = between("DL"))
)
