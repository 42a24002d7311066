# tests/oracles/pairwise_converged.json: what iterates in metafor, with stopping rules tightened until nothing moves.
# metafor stops at absolute changes of tau2: effects are divided by the root of their mean variance, and turned back.
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))), "common.R"))

here_data <- from_json("pairwise_metafor.json")$data
core <- from_json("reference_core.json")$pairwise
kept <- from_json("pairwise_converged.json")
tight <- list(threshold = 1e-12, maxiter = 10000)

of_set <- function(name) {
  parts <- strsplit(name, " ")[[1]]
  entry <- here_data[[parts[1]]]
  if (is.null(entry) || entry$measure != parts[2]) entry <- core[[parts[1]]][[parts[2]]]
  unit <- sqrt(mean(entry$vi))
  y <- entry$yi / unit
  v <- entry$vi / unit^2
  fit <- function(m, ...) rma(y, v, method = m, control = c(tight, list(tol = 1e-14, ...)))
  reml <- fit("REML")
  wide <- list(tau2.max = 1e6, tol = 1e-14)
  ends <- function(type) unname(unlist(confint(reml, type = type, control = c(wide, maxiter = 10000))$random[1, 2:3])) * unit^2
  found <- list(
    REML = reml$tau2 * unit^2, ML = fit("ML")$tau2 * unit^2, EB = fit("EB")$tau2 * unit^2,
    PM = fit("PM", tau2.max = 1e6)$tau2 * unit^2, QP = ends("QP"), PL = ends("PL")
  )
  if ("loo_tau2" %in% names(kept$sets[[name]])) {
    loo <- leave1out(reml)
    inf <- influence(reml)$inf
    found <- c(found, list(
      loo_estimate = loo$estimate * unit, loo_tau2 = loo$tau2 * unit^2, rstudent = inf$rstudent, cook = inf$cook.d,
      dffits = inf$dffits
    ))
  }
  c(found, list(egger = regtest(reml, model = "rma", predictor = "sei")$zval))
}
say(source = kept$source, sets = sapply(names(kept$sets), of_set, simplify = FALSE))
