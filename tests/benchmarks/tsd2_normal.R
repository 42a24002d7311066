# Random-effects network meta-analysis of arm means in JAGS: the model of NICE DSU Technical Support Document 2
# (Dias et al. 2011, program 5a), known standard errors, correlation 1/2 between the arms of a study.
# Usage: Rscript tsd2_normal.R arms.csv out.csv; prints the CPU seconds of compiling and sampling.
arguments <- commandArgs(TRUE)
suppressMessages(library(rjags))
arms <- read.csv(arguments[1])
ns <- max(arms$study); nt <- max(arms$treatment); na <- as.vector(table(arms$study))
t <- y <- se <- matrix(NA_real_, ns, max(na))
for (i in seq_len(nrow(arms))) {
  t[arms$study[i], arms$arm[i]] <- arms$treatment[i]
  y[arms$study[i], arms$arm[i]] <- arms$mean[i]
  se[arms$study[i], arms$arm[i]] <- arms$se[i]
}
model <- "model {
  for (i in 1:ns) {
    w[i, 1] <- 0
    delta[i, 1] <- 0
    mu[i] ~ dnorm(0, 0.0001)
    for (k in 1:na[i]) {
      y[i, k] ~ dnorm(theta[i, k], pow(se[i, k], -2))
      theta[i, k] <- mu[i] + delta[i, k]
    }
    for (k in 2:na[i]) {
      delta[i, k] ~ dnorm(md[i, k], taud[i, k])
      md[i, k] <- d[t[i, k]] - d[t[i, 1]] + sw[i, k]
      taud[i, k] <- pow(sd, -2) * 2 * (k - 1) / k
      w[i, k] <- delta[i, k] - d[t[i, k]] + d[t[i, 1]]
      sw[i, k] <- sum(w[i, 1:(k - 1)]) / (k - 1)
    }
  }
  d[1] <- 0
  for (k in 2:nt) { d[k] ~ dnorm(0, 0.0001) }
  sd ~ dunif(0, 5)
}"
inits <- lapply(1:4, function(chain) list(.RNG.name = "base::Mersenne-Twister", .RNG.seed = chain))
used <- system.time({
  fit <- jags.model(textConnection(model), list(ns = ns, nt = nt, na = na, t = t, y = y, se = se), inits,
                    n.chains = 4, n.adapt = 1000, quiet = TRUE)
  update(fit, 4000, progress.bar = "none")
  draws <- coda.samples(fit, c("d", "sd"), 20000, progress.bar = "none")
})
d <- as.matrix(draws)[, paste0("d[", seq_len(nt), "]")]
pairs <- t(combn(nt, 2))
contrasts <- d[, pairs[, 2]] - d[, pairs[, 1]]
limits <- apply(contrasts, 2, quantile, c(0.025, 0.5, 0.975))
ranks <- apply(d, 1, rank)
sucra <- (nt - rowMeans(ranks)) / (nt - 1)
sd_draws <- as.matrix(draws)[, "sd"]
write.csv(data.frame(quantity = c(paste0("d", seq_len(nt)), "sd", paste0("sucra", seq_len(nt))),
                     value = c(colMeans(d), mean(sd_draws), sucra)), arguments[2], row.names = FALSE)
cat(sum(used[1:2]), "\n")
