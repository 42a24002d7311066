# tests/oracles/sequential.json: bounds for repeated looks and information sizes (ldbounds, RTSA; both are on CRAN).
# perioOxy is RTSA's data set of oxygen and wound infections; its D2 is by DerSimonian and Laird (metafor).
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))), "common.R"))
suppressMessages({library(ldbounds); library(RTSA)})

of_times <- function(t, alpha) list(t = t, alpha = alpha, upper = suppressWarnings(ldBounds(t, alpha = alpha)$upper.bounds))
wedge <- function(t, beta) {
  found <- boundaries(timing = t, alpha = 0.025, beta = beta, side = 1, futility = "non-binding", es_alpha = "esOF",
                      es_beta = "esOF", type = "design")
  list(t = t, beta = beta, upper = found$alpha_ubound, lower = found$beta_lbound, inflation = found$root)
}
size <- function(..., d2) {
  found <- suppressWarnings(ris(..., D2 = d2, side = 2))
  list(..., d2 = d2, fixed = found$NF, required = found$NR_D2)
}
e <- escalc("RR", ai = eI, n1i = nI, ci = eC, n2i = nC, data = perioOxy)
common <- rma(yi, vi, data = e, method = "FE")
random <- rma(yi, vi, data = e, method = "DL")
say(
  source = paste0("ldbounds ", packageVersion("ldbounds"), " (Reboussin et al. 2000), RTSA ", packageVersion("RTSA"),
                  " (Copenhagen Trial Unit), metafor ", packageVersion("metafor"), "; published: see each"),
  ldbounds = list(of_times(1:5 / 5, 0.05), of_times(1:5 / 5, 0.01), of_times(c(0.2, 0.55, 0.7, 1), 0.05),
                  of_times(c(0.3, 0.5, 0.9), 0.05), of_times(1:3 / 3, 0.05)),
  wedge = list(wedge(1:4 / 4, 0.1), wedge(1:4 / 4, 0.2), wedge(c(0.2, 0.55, 0.7, 1), 0.1),
               wedge(c(0.2, 0.55, 0.7, 1), 0.2), wedge(c(0.3, 0.6, 1), 0.1), wedge(c(0.3, 0.6, 1), 0.2)),
  size = list(size(outcome = "RR", mc = 0.8, pC = 0.12, alpha = 0.05, beta = 0.1, fixed = FALSE, d2 = 0.25),
              size(outcome = "OR", mc = 0.7, pC = 0.2, alpha = 0.05, beta = 0.2, fixed = FALSE, d2 = 0.35),
              size(outcome = "MD", mc = 0.5, sd_mc = 1.3, alpha = 0.05, beta = 0.1, fixed = FALSE, d2 = 0.3)),
  published = list(list(what = "Thorlund K, Anema A, Mills E (2010) Clin Epidemiol 2:57-66, figure 4: information for moderate evidence",
                        outcome = "RR", mc = 0.75, pC = 0.05, alpha = 0.01, beta = 0.1, d2 = 0.2, required = 19920)),
  perioOxy = list(study = as.character(perioOxy$study), eI = perioOxy$eI, nI = perioOxy$nI, eC = perioOxy$eC, nC = perioOxy$nC,
                  d2 = 1 - common$se^2 / random$se^2, tau2 = random$tau2, z = random$zval,
                  estimate = as.vector(random$b), std_error = random$se)
)
