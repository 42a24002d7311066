# tests/oracles/pairwise_sensitivity.json: influence, all subsets, meta-regression, selection, permutations, small studies.
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))), "common.R"))

kept <- from_json("pairwise_sensitivity.json")
d <- escalc("OR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
yi <- as.vector(d$yi)
vi <- d$vi

drawn <- function(plot, fit, ...) {
  grDevices::pdf(NULL)
  found <- plot(fit, ...)
  grDevices::dev.off()
  found
}
influence_of <- function(f) {
  found <- influence(f)
  names <- c("rstudent", "dffits", "cook.d", "cov.r", "tau2.del", "QE.del", "hat")
  c(setNames(unclass(found$inf)[names], c("rstudent", "dffits", "cook", "covr", "tau2", "QE", "hat")),
    list(dfbs = found$dfbs$intrcpt, infl = found$is.infl))
}
points <- function(f) {
  found <- drawn(baujat, f)
  lapply(seq_along(found$x), function(i) list(x = found$x[i], y = found$y[i]))
}
dl <- rma(yi, vi, method = "DL")
ee <- rma(yi, vi, method = "EE")
few <- drawn(gosh, rma(yi[1:6], vi[1:6], method = "DL"), progbar = FALSE)

regress <- function(mods, ...) rma(yi, vi, mods = mods, method = "DL", data = d, ...)
m <- regress(~ ablat + year)
inf <- influence(m)
mods <- c(
  list(beta = as.vector(m$beta), se = m$se, tau2 = m$tau2, R2 = m$R2, QM = m$QM, QMp = m$QMp,
       dfbs = as.list(setNames(as.data.frame(inf$dfbs), c("intrcpt", "ablat", "year")))),
  setNames(unclass(inf$inf)[c("rstudent", "dffits", "cook.d", "cov.r", "hat")], c("rstudent", "dffits", "cook", "covr", "hat"))
)
hk <- regress(~ ablat + alloc, test = "knha")
there <- predict(hk, newmods = c(30, 1, 0))
modshk <- list(
  beta = as.vector(hk$beta), se = hk$se, QM = hk$QM, QMp = hk$QMp, lb = hk$ci.lb, tau2 = hk$tau2, R2 = hk$R2,
  pi = list(pred = there$pred, se = there$se, lb = there$ci.lb, ub = there$ci.ub, pl = there$pi.lb, pu = there$pi.ub)
)
of_first <- function(n, test) rma(yi[seq_len(n)], vi[seq_len(n)], method = "DL", test = test)
adhoc <- of_first(3, "adhoc")
knha <- of_first(3, "knha")

selection <- function(yi, vi, alternative) {
  said <- list(yi = as.vector(yi), vi = as.vector(vi), alt = alternative)
  f <- selmodel(rma(yi, vi, method = "REML"), type = "stepfun", steps = 0.025, alternative = alternative,
                control = list(optimizer = "nlminb"))
  c(said, list(beta = f$beta[1], se = f$se, tau2 = f$tau2, delta = f$delta,
               se_delta = list("NA", f$se.delta[2]), ll = f$fit.stats["ll", "ML"], LRT = f$LRT, LRTp = f$LRTp))
}
as_kept <- function(s) modifyList(s, list(se_delta = list("NA", as.numeric(s$se_delta[2]))))
selected <- if (!requireNamespace("numDeriv", quietly = TRUE)) lapply(kept$selection, as_kept) else list(
  hackshaw = selection(dat.hackshaw1998$yi, dat.hackshaw1998$vi, "greater"),
  bcg = selection(yi, vi, "less"),
  raud = selection(dat.raudenbush1985$yi, dat.raudenbush1985$vi, "greater")
)

six <- 1:6
permuted <- function(method, test) {
  f <- rma(yi[six], vi[six], mods = ~ x, data = data.frame(x = d$ablat[six]), method = method, test = test)
  list(f = f, p = permutest(f, exact = TRUE, progbar = FALSE)$pval)
}
z <- permuted("DL", "z")

table_of <- function(f) rows_of(unname(coef(summary(f))))
n1 <- as.numeric(d$tpos + d$tneg)
n2 <- d$cpos + d$cneg
events <- d$tpos + d$cpos
total <- n1 + n2
score <- d$tpos - n1 * events / total
V <- n1 * n2 * events * (total - events) / (total^2 * (total - 1))
say(
  source = kept$source, yi = yi, vi = vi, ablat = d$ablat, year = d$year, alloc = d$alloc,
  dl = influence_of(dl), ee = influence_of(ee), baujat_dl = points(dl), baujat_ee = points(ee),
  gosh = lapply(seq_len(nrow(few$res)), function(i) as.list(setNames(few$res[i, ], c("k", "QE", "I2", "H2", "tau2", "estimate")))),
  gosh_incl = rows_of(1 * unname(few$incl)), mods = mods, modshk = modshk,
  adhoc = list(se = adhoc$se, lb = adhoc$ci.lb, tau2 = adhoc$tau2), knha = list(se = knha$se, lb = knha$ci.lb),
  selection = selected,
  perm = list(yi = yi[six], vi = vi[six], x = d$ablat[six], p = z$p, pz = z$f$pval), permhk = list(p = permuted("REML", "knha")$p),
  harbord = table_of(lm(I(score / sqrt(V)) ~ sqrt(V))),
  peters = table_of(lm(yi ~ I(1 / total), weights = 1 / (1 / events + 1 / (total - events)))),
  pet = table_of(lm(yi ~ sqrt(vi), weights = 1 / vi)), peese = table_of(lm(yi ~ vi, weights = 1 / vi))
)
