# tests/oracles/pairwise_metadat.json: eight more data sets of metadat, every quantity, with tight stopping rules.
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))), "common.R"))

kept <- from_json("pairwise_metadat.json")
data <- list(
  "li2007 OR" = escalc("OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.li2007),
  "hine1989 RD" = escalc("RD", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.hine1989),
  "lau1992 OR" = escalc("OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.lau1992),
  bangert = dat.bangertdrowns2004,
  hackshaw = dat.hackshaw1998,
  cohen1981 = escalc("ZCOR", ri = ri, ni = ni, data = dat.cohen1981),
  baskerville = transform(dat.baskerville2012, yi = smd, vi = se^2),
  "laopaiboon2015 OR" = escalc("OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.laopaiboon2015)
)
tight <- list(threshold = 1e-13, tol = 1e-14, maxiter = 10000)
short <- function(x) signif(as.vector(x), 13)

random <- function(d, m) {
  f <- rma(yi, vi, data = d, method = m, control = tight)
  found <- list(tau2 = f$tau2, b = f$beta[1], se = f$se, p = f$pval, I2 = f$I2, H2 = f$H2)
  if (m %in% c("DL", "REML")) {
    for (test in c(HK = "knha", "HK-adhoc" = "adhoc")) {
      g <- rma(yi, vi, data = d, method = m, test = test, control = tight)
      found[[if (test == "knha") "HK" else "HK-adhoc"]] <- c(g$ci.lb, g$ci.ub)
    }
    p <- predict(f)
    found$S <- c(p$pi.lb, p$pi.ub)
  }
  lapply(found, short)
}

regression <- function(d, formula, m, test) {
  f <- rma(yi, vi, mods = as.formula(formula), data = d, method = m, test = test, control = tight)
  lapply(list(b = f$beta, se = f$se, p = f$pval, tau2 = f$tau2, QE = f$QE, QM = f$QM, QMp = f$QMp, R2 = f$R2, k = f$k), short)
}

of_set <- function(name) {
  d <- data[[name]]
  d <- d[!is.na(d$yi) & !is.na(d$vi), ]
  ee <- rma(yi, vi, data = d, method = "EE")
  dl <- rma(yi, vi, data = d, method = "DL")
  reml <- rma(yi, vi, data = d, method = "REML", control = tight)
  found <- list(yi = short(d$yi), vi = short(d$vi), q = short(ee$QE))
  found$EE <- lapply(list(b = ee$beta, se = ee$se, p = ee$pval, I2 = ee$I2, H2 = ee$H2), short)
  for (m in c("DL", "HE", "HS", "SJ", "REML", "ML", "PM", "EB")) found[[m]] <- random(d, m)
  ends <- function(type) confint(reml, type = type, control = list(tol = 1e-14, maxiter = 10000, tau2.max = 1e4))$random
  found$QP <- lapply(c("tau^2", "I^2(%)", "H^2"), function(row) short(ends("QP")[row, 2:3]))
  found$PL <- short(ends("PL")["tau^2", 2:3])
  loo <- leave1out(reml)
  found$loo <- lapply(unclass(loo)[c("estimate", "se", "tau2", "I2", "Q")], short)
  found$influence <- lapply(unclass(influence(dl)$inf)[c("rstudent", "dffits", "cook.d", "cov.r", "hat")], short)
  found$baujat <- lapply(baujat_of(ee), short)
  lm <- regtest(dl, model = "lm")
  found$egger <- lapply(list(t = lm$zval, p = lm$pval, est = lm$est), short)
  add <- regtest(dl, model = "rma")
  found$egger_additive <- lapply(list(z = add$zval, p = add$pval, est = add$est), short)
  begg <- suppressWarnings(ranktest(dl))
  found$begg <- lapply(list(tau = begg$tau, p = begg$pval), short)
  found$trimfill <- list()
  for (m in c("EE", "DL")) for (estimator in c("L0", "R0")) {
    f <- trimfill(if (m == "EE") ee else dl, estimator = estimator)
    found$trimfill[[paste(m, estimator)]] <- lapply(list(k0 = f$k0, se = f$se.k0, b = f$beta, sew = f$se), short)
  }
  if (name == "li2007 OR" && !requireNamespace("numDeriv", quietly = TRUE)) found$selection <- kept$sets[[name]]$selection
  else if (name == "li2007 OR") {
    s <- selmodel(rma(yi, vi, data = d, method = "ML"), type = "stepfun", steps = 0.025, alternative = "less")
    found$selection <- lapply(list(b = s$beta, se = s$se, tau2 = s$tau2, delta = s$delta), short)
  }
  if (name == "bangert") {
    found$moderators <- lapply(as.list(dat.bangertdrowns2004[c("length", "grade", "wic", "feedback")]), short)
    formulas <- names(kept$sets$bangert$regressions)
    found$regressions <- sapply(formulas, function(formula) {
      asked <- strsplit(names(kept$sets$bangert$regressions[[formula]]), " ")
      ran <- lapply(asked, function(a) regression(d, formula, a[1], a[2]))
      setNames(ran, names(kept$sets$bangert$regressions[[formula]]))
    }, simplify = FALSE)
  }
  found
}

baujat_of <- function(fit) {
  grDevices::pdf(NULL)
  found <- baujat(fit)
  grDevices::dev.off()
  found[c("x", "y")]
}
say(source = kept$source, sets = sapply(names(data), of_set, simplify = FALSE))
