# tests/oracles/thresholds_nmathresh.json: thresholds by nmathresh, on the posteriors of its vignette and on exact ones.
# nmathresh is not one of Debian's packages: R CMD INSTALL it from CRAN (imports nnls, ggplot2, gridExtra).
source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))), "common.R"))
suppressMessages({
  library(nmathresh)
  library(Matrix)
})

# A difference that should be 0 leaves a threshold beyond a billion: there is none.
there <- function(x) is.finite(x) & abs(x) < 1e9
finite <- function(x) ifelse(there(x), x, NA)
asked <- function(...) suppressMessages(nma_thresh(...))
limits <- function(t) list(
  now = t$kstar, lo = finite(t$lo), hi = finite(t$hi),
  lo_new = ifelse(there(t$lo), t$lo.newkstar, ""), hi_new = ifelse(there(t$hi), t$hi.newkstar, "")
)
found <- function(t) limits(c(as.list(t$thresholds), kstar = list(I(t$kstar))))
corners <- function(...) {
  p <- suppressMessages(thresh_2d(...))
  for (layer in p$layers) if (inherits(layer$geom, "GeomPolygon")) return(list(x = layer$data$x, y = layer$data$y))
}
design <- function(a, b, K) { # of treatment b against a
  X <- matrix(0, length(a), K)
  X[cbind(seq_along(a), b)] <- 1
  X[cbind(seq_along(a), a)] <- -1
  X[, -1]
}

# --- thrombolytics: the data, and the posterior that the package keeps ---
wide <- read.delim(system.file("extdata", "Thrombo_data.txt", package = "nmathresh"))
K <- 6
points <- NULL
blocks <- list()
for (i in seq_len(nrow(wide))) with(wide[i, ], {
  r <- c(r.1, r.2, r.3)[1:n_arms]; n <- c(n.1, n.2, n.3)[1:n_arms]; t <- c(t.1, t.2, t.3)[1:n_arms]
  y <- log(r / (n - r)); v <- 1 / r + 1 / (n - r)
  points <<- rbind(points, data.frame(study = studyID, b = t[-1], a = t[1], y = y[-1] - y[1]))
  blocks[[i]] <<- diag(v[-1], n_arms - 1) + v[1]
})
V <- as.matrix(bdiag(blocks))
X <- design(points$a, points$b, K)
mean <- unname(Thrombo.post.summary$statistics[1:(K - 1), "Mean"])
by_study <- asked(mean, V, Thrombo.post.cov, "fixed", X = X, opt.max = FALSE)
edges <- unique(points[order(points$a, points$b), c("a", "b")])
edges <- data.frame(a = c(1, 1, 1, 1, 3, 3, 3), b = c(2, 3, 4, 5, 4, 5, 6))
E <- design(edges$a, edges$b, K)
likely <- suppressMessages(recon_vcov(Thrombo.post.cov, prior.prec = .0001, X = E))
by_contrast <- asked(mean, likely, Thrombo.post.cov, "fixed", X = E, opt.max = FALSE)
thrombolytics <- list(
  arms = lapply(seq_len(nrow(wide)), function(i) with(wide[i, ], list(study = studyID,
    t = I(c(t.1, t.2, t.3)[1:n_arms]), r = I(c(r.1, r.2, r.3)[1:n_arms]), n = I(c(n.1, n.2, n.3)[1:n_arms])))),
  points = as.list(points), mean = mean, covariance = rows_of(unname(Thrombo.post.cov)),
  by_study = found(by_study), edges = as.list(edges), edge_variance = unname(diag(likely)), by_contrast = found(by_contrast),
  region = corners(by_study, 1, 2, xlim = c(-1.5, 0.5), ylim = c(-2, 14))
)

# --- the same data, with the exact posterior of flat priors ---
exact <- function(tau) {
  R <- as.matrix(bdiag(lapply(blocks, function(b) (diag(nrow(b)) + 1) / 2)))
  W <- solve(V + tau^2 * R)
  cov <- solve(t(X) %*% W %*% X)
  list(mean = as.vector(cov %*% t(X) %*% W %*% points$y), cov = cov, R = R)
}
common <- exact(0)
at <- function(...) found(asked(common$mean, V, common$cov, "fixed", X = X, opt.max = FALSE, ...))
tau <- 0.1
random <- exact(tau)
# Joint posterior of effects and study effects given tau, as nma_thresh takes it.
delta <- solve(solve(V) + solve(tau^2 * random$R))
shrunk <- delta %*% solve(tau^2 * random$R) %*% X
joint <- rbind(cbind(random$cov, random$cov %*% t(shrunk)), cbind(shrunk %*% random$cov, delta + shrunk %*% random$cov %*% t(shrunk)))
whole <- suppressMessages(recon_vcov(common$cov, prior.prec = 0, X = E))
whole_random <- suppressMessages(recon_vcov(random$cov, prior.prec = 0, X = E))
flat <- list(
  mean = common$mean, best = at(), rank2 = at(trt.rank = 2),
  change = at(mcid = 0.02, mcid.type = "change"), decision = at(mcid = 0.03), greatest = found(asked(common$mean, V, common$cov, "fixed", X = X, opt.max = TRUE)),
  by_contrast = found(asked(common$mean, whole, common$cov, "fixed", X = E, opt.max = FALSE)),
  tau = tau, random_mean = random$mean, random = found(asked(random$mean, V, joint, "random", opt.max = FALSE)),
  random_by_contrast = found(asked(random$mean, whole_random, random$cov, "fixed", X = E, opt.max = FALSE)),
  region = corners(asked(common$mean, V, common$cov, "fixed", X = X, opt.max = FALSE), 1, 2)
)

# --- social anxiety: random effects, classes; the influence of the points that the vignette's figure shows ---
anx <- read.delim(system.file("extdata", "SocAnx_data.txt", package = "nmathresh"))
kind <- sub("(.*)\\[.*", "\\1", rownames(SocAnx.post.summary$statistics))
d <- unname(SocAnx.post.summary$statistics[kind == "d", "Mean"])
K <- length(d) + 1
lik <- list(); label <- NULL
for (i in seq_len(nrow(anx))) with(anx[i, ], {
  v <- c(Var.2, Var.3, Var.4, Var.5)[1:(n.arms - 1)]
  S <- matrix(if (n.arms > 2) V else 0, n.arms - 1, n.arms - 1); diag(S) <- v
  lik[[i]] <<- S
  label <<- rbind(label, data.frame(study = i, b = c(t.2, t.3, t.4, t.5)[1:(n.arms - 1)], a = t.1))
})
lik <- as.matrix(bdiag(lik))
study <- asked(d, lik, unname(SocAnx.post.cov), "random", opt.max = FALSE)
near <- with(study$thresholds, which(lo > -2 | hi < 2))
pairs <- do.call(rbind, lapply(seq_len(nrow(anx)), function(i) {
  t <- unlist(anx[i, c("t.1", "t.2", "t.3", "t.4", "t.5")]); t <- sort(t[!is.na(t)])
  p <- t(combn(unname(t), 2)); p[p[, 1] != p[, 2], , drop = FALSE]
}))
pairs <- unique(pairs[order(pairs[, 1], pairs[, 2]), ])
E <- design(pairs[, 1], pairs[, 2], K)
precision <- rep(3.9 / 0.35, 40); precision[2] <- 0.0001
cov <- unname(SocAnx.post.cov[1:(K - 1), 1:(K - 1)])
likely <- suppressMessages(recon_vcov(cov, prior.vcov = diag(1 / precision), X = E))
contrast <- asked(d, likely, cov, "fixed", X = E, opt.max = FALSE)
ab <- d_i2ab(1:(K * (K - 1) / 2), K)
ab <- ab[ab$a == contrast$kstar | ab$b == contrast$kstar, ]
of <- function(these) which(pairs[, 1] %in% 1:3 & pairs[, 2] %in% these)
drugs <- of(c(9:23, 37:41)); talking <- of(c(4:8, 24:36))
together <- function(these) 1 / rowSums(1 / contrast$Ukstar[, these])
common_bias <- function(these) limits(c(as.list(get.int(together(these), contrast$kstar, 1:K, ab)), kstar = contrast$kstar))
social_anxiety <- list(
  mean = d, points = as.list(label[near, ]), influence = rows_of(unname(study$H[, near])),
  by_study = found(list(thresholds = study$thresholds[near, ], kstar = study$kstar)),
  covariance = lapply(1:(K - 1), function(i) cov[i, 1:i]), edges = list(a = pairs[, 1], b = pairs[, 2]),
  edge_precision = 1 / unname(diag(likely)), by_contrast = found(contrast),
  drugs = drugs, psychological = talking, drug_bias = common_bias(drugs), psychological_bias = common_bias(talking),
  region = corners(list(Ukstar = cbind(together(drugs), together(talking)), kstar = contrast$kstar), 1, 2, xlim = c(-6, 2), ylim = c(-6, 2))
)

say(
  source = paste0("nmathresh ", packageVersion("nmathresh"), " (Phillippo), R ", getRversion(), ": its vignette Examples (Phillippo et al. 2018, ",
    "doi:10.1111/rssa.12341), and the same trials of Caldwell et al. (2005) with the exact posterior of flat priors"),
  thrombolytics = thrombolytics, flat = flat, social_anxiety = social_anxiety
)
