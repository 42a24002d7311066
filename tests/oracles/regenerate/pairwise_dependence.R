# tests/oracles/pairwise_dependence.json: several effects of one study (metafor, clubSandwich on Konstantopoulos 2011).
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))), "common.R"))
suppressMessages(library(clubSandwich))

kept <- from_json("pairwise_dependence.json")
d <- transform(dat.konstantopoulos2011, id = seq_along(yi), centred = year - 1990)
tight <- list(optimizer = "BFGS", reltol = 1e-14)
levels3 <- function(mods = ~ 1, ...) rma.mv(yi, vi, mods = mods, random = ~ 1 | district / id, data = d,
                                         control = tight, ...)
said <- function(f, ...) {
  of <- list(b = as.vector(f$beta), se = f$se, lb = f$ci.lb, ub = f$ci.ub, s2 = f$sigma2, tau2 = f$tau2)
  c(of, list(dfs = if (is.numeric(f$dfs)) f$dfs else if (f$test == "t") f$ddf[1] else rep(NA_real_, f$p)), list(ll = f$fit.stats["ll", "REML"]))
}
cr2 <- function(f, cluster) robust(f, cluster = cluster, clubSandwich = TRUE)

s <- kept$shared
s$pairs <- list(c(0, 1, 0.05), c(3, 4, 0.07), c(3, 5, 0.07), c(4, 5, 0.07)) # numbers of contrasts, covariance
V <- diag(s$vi)
for (pair in s$pairs) V[pair[1] + 1, pair[2] + 1] <- V[pair[2] + 1, pair[1] + 1] <- pair[3]
shared <- s
s <- data.frame(study = s$study, yi = s$yi, vi = s$vi, id = seq_along(s$yi))
plain <- rma.mv(yi, V, random = ~ id | study, struct = "CS", rho = 0.5, data = s, control = tight)

d$size <- rep_len(c("a", "b", "c"), nrow(d))
tests <- function(f) {
  C <- coef_test(f, vcov = "CR2", cluster = d$district, test = "Satterthwaite")
  wald <- function(which) {
    w <- Wald_test(f, constraints = constrain_zero(which), vcov = "CR2", cluster = d$district, test = "HTZ")
    list(F = w$Fstat, df1 = w$df_num, df2 = w$df_denom, p = w$p_val)
  }
  list(b = C$beta, se = C$SE, df = C$df_Satt, p = C$p_Satt, size = wald(3:4), all = wald(2:4))
}
mvt <- levels3(~ year + size, test = "t", dfs = "contain")
there <- predict(mvt, newmods = c(1980, 1, 0))
say(
  source = kept$source,
  konstantopoulos2011 = list(district = d$district, year = d$year, yi = d$yi, vi = d$vi), shared = shared,
  m = said(levels3()), r = said(cr2(rma(yi, vi, data = d, control = list(threshold = 1e-12)), d$district)), r2 = said(cr2(levels3(), d$district)),
  m2 = said(levels3(test = "t", dfs = "contain")), m3 = said(levels3(~ centred)), r3 = said(cr2(levels3(~ centred), d$district)),
  ms = said(plain), ml = said(rma.mv(yi, V, random = ~ 1 | study / id, data = s, control = tight)), rs = said(cr2(plain, s$study)),
  regression = list(
    note = kept$regression$note, size = d$size, rma = tests(rma(yi, vi, mods = ~ year + size, data = d, control = list(threshold = 1e-12))),
    mv = tests(levels3(~ year + size)),
    mvt = list(b = as.vector(mvt$beta), se = mvt$se, sigma2 = mvt$sigma2, ll = mvt$fit.stats["ll", "REML"],
               pred = list(pred = there$pred, se = there$se, ci.lb = there$ci.lb, ci.ub = there$ci.ub,
                           pi.lb = there$pi.lb, pi.ub = there$pi.ub))
  )
)
