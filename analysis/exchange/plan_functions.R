suppressMessages(library(metafor))

# --- what enters ----------------------------------------------------------------------------------------------

# Effects with their covariance: rows$vi, and the pairs of rows that share an arm.
read_rows <- function(name) {
  rows <- read.csv(paste0(name, ".csv"), na.strings = "", stringsAsFactors = FALSE, quote = "\"",
                   colClasses = c(study = "character"))
  V <- diag(rows$vi, nrow(rows))
  shared <- paste0(name, "-covariance.csv")
  if (file.exists(shared)) {
    shared <- read.csv(shared)
    V[cbind(shared$row_1, shared$row_2)] <- V[cbind(shared$row_2, shared$row_1)] <- shared$covariance
  }
  list(rows = rows, V = V)
}

subset_of <- function(data, keep) list(rows = data$rows[keep, , drop = FALSE], V = data$V[keep, keep, drop = FALSE])

# The effects of one study (with the same key) as one, by their sampling covariance.
combined <- function(data, key = data$rows$study) {
  groups <- split(seq_along(key), factor(key, unique(key)))
  parts <- lapply(groups, function(i) {
    w <- solve(data$V[i, i, drop = FALSE], rep(1, length(i)))
    cbind(data$rows[i[1], , drop = FALSE][c("study", setdiff(names(data$rows), c("study", "yi", "vi")))],
          yi = sum(w * data$rows$yi[i]) / sum(w), vi = 1 / sum(w))
  })
  rows <- do.call(rbind, parts)
  list(rows = rows, V = diag(rows$vi, nrow(rows)))
}

result <- function(analysis, model, treatment, versus, b, se, low, high, pi = c(NA, NA), tau2 = NA,
                   subgroup = "", without = "", term = "") {
  data.frame(analysis = analysis, model = model, subgroup = subgroup, without = without, term = term,
             treatment = treatment, versus = versus, estimate = as.numeric(b), std_error = as.numeric(se),
             ci_lower = as.numeric(low), ci_upper = as.numeric(high), pi_lower = pi[1], pi_upper = pi[2],
             tau2 = tau2)
}

# --- pairwise -------------------------------------------------------------------------------------------------

TEST <- c(HK = "knha", "HK-adhoc" = "adhoc", Wald = "z")
FINE <- list(threshold = 1e-12, maxiter = 10000, tol = 1e-12)
NEAR <- list(rel.tol = 1e-10, iter.max = 1000, eval.max = 2000)

fit_random <- function(data, a, mods = NULL) {
  rows <- data$rows
  test <- if (a$ci %in% names(TEST)) TEST[[a$ci]] else "z"
  arguments <- if (is.null(mods)) list() else list(mods = mods)
  if (a$dependence == "multilevel") {
    rows$effect <- seq_len(nrow(rows))
    call <- list(yi = rows$yi, V = data$V, random = ~ 1 | study / effect, data = rows, method = "REML",
                 test = if (test == "z") "z" else "t", dfs = "contain", control = NEAR)
    return(do.call(rma.mv, c(call, arguments)))
  }
  if (any(data$V[upper.tri(data$V)] != 0)) {
    # Contrasts that share an arm: half of the between-study variance is common to them.
    rows$effect <- seq_len(nrow(rows))
    rows$linked <- linked(data$V)
    call <- list(yi = rows$yi, V = data$V, random = ~ effect | linked, struct = "CS", rho = 0.5, data = rows,
                 method = a$tau2, test = if (test == "z") "z" else "t", control = NEAR)
    fit <- do.call(rma.mv, c(call, arguments))
    return(if (test == "z") fit else hartung_knapp(fit, test == "adhoc"))
  }
  do.call(rma, c(list(yi = rows$yi, vi = rows$vi, method = a$tau2, test = test, control = FINE), arguments))
}

# Hartung and Knapp's factor, which rma.mv has not.
hartung_knapp <- function(fit, adhoc) {
  residual <- as.numeric(fit$yi - fit$X %*% fit$beta)
  df <- fit$k - fit$p
  factor <- sum(residual * solve(fit$M, residual)) / df
  fit$se <- fit$se * sqrt(if (adhoc) max(1, factor) else factor)
  fit$ci.lb <- as.numeric(fit$beta) - qt(0.975, df) * fit$se
  fit$ci.ub <- as.numeric(fit$beta) + qt(0.975, df) * fit$se
  fit
}

linked <- function(V) {
  group <- seq_len(nrow(V))
  for (i in seq_len(nrow(V))) for (j in which(V[i, ] != 0)) group[group == group[j]] <- group[i]
  group
}

tau2_of <- function(fit) if (inherits(fit, "rma.mv")) sum(fit$sigma2, fit$tau2) else fit$tau2

pool <- function(data, a, ...) {
  if (a$dependence == "combine") data <- combined(data)
  k <- nrow(data$rows)
  W <- solve(data$V)
  b <- sum(W %*% data$rows$yi) / sum(W)
  se <- 1 / sqrt(sum(W))
  z <- qnorm(0.975)
  common <- result(a$name, "common", a$treatment, a$versus, b, se, b - z * se, b + z * se, ...)
  if (k < 2) return(rbind(common, result(a$name, "random", a$treatment, a$versus, b, NA, NA, NA, ...)))
  fit <- fit_random(data, a)
  shown <- fit
  if (a$ci == "CR2") {
    if (!requireNamespace("clubSandwich", quietly = TRUE)) {
      cat(a$name, ": the robust interval needs the package clubSandwich\n", sep = "")
      shown <- NULL
    } else shown <- robust(fit, cluster = data$rows$study, clubSandwich = TRUE)
  }
  pi <- c(NA, NA)
  if (k > 2 && !is.null(shown) && a$dependence == "combine") {
    pi <- fit$beta[1] + c(-1, 1) * qt(0.975, k - 1) * sqrt(fit$se[1]^2 + tau2_of(fit))
  }
  low <- if (is.null(shown)) NA else shown$ci.lb
  high <- if (is.null(shown)) NA else shown$ci.ub
  rbind(common, result(a$name, "random", a$treatment, a$versus, fit$beta[1],
                       if (is.null(shown)) NA else shown$se, low, high, pi, tau2_of(fit), ...))
}

pairwise <- function(a) {
  data <- read_rows(a$file)
  found <- pool(data, a)
  if (!is.null(a$subgroup)) {
    levels <- unique(data$rows$subgroup[!is.na(data$rows$subgroup)])
    for (level in levels) found <- rbind(found, pool(subset_of(data, data$rows$subgroup %in% level), a,
                                                     subgroup = level))
    cat(a$name, ": test for differences between the levels of ", a$subgroup, "\n", sep = "")
    print(between(data, a, levels))
  }
  studies <- unique(data$rows$study)
  if (length(studies) > 1) for (study in studies) {
    found <- rbind(found, pool(subset_of(data, data$rows$study != study), a, without = study))
  }
  if (length(a$moderators)) found <- rbind(found, regression(data, a))
  found
}

# Cochran's Q between the subgroups' effects, each with its own tau2; one study alone takes that of all.
between <- function(data, a, levels) {
  data <- subset_of(data, !is.na(data$rows$subgroup))
  parts <- lapply(levels, function(level) subset_of(data, data$rows$subgroup == level))
  if (a$dependence == "combine") parts <- lapply(parts, combined)
  wald <- a
  wald$ci <- "Wald"
  rows <- lapply(c("common", "random"), function(model) {
    size <- sapply(parts, function(part) nrow(part$rows))
    if (model == "random" && any(size == 1) && !all(size == 1)) {
      every <- do.call(rbind, lapply(parts, function(part) part$rows))
      fit <- rma(every$yi, every$vi, mods = ~ 0 + factor(subgroup, levels), data = every, method = a$tau2,
                 control = FINE)
      b <- as.numeric(fit$beta)
      v <- fit$se^2
    } else {
      fits <- lapply(parts, function(part) pool(list(rows = part$rows, V = part$V), wald))
      fits <- lapply(fits, function(fit) fit[fit$model == model, ])
      b <- sapply(fits, function(fit) fit$estimate)
      v <- sapply(fits, function(fit) fit$std_error)^2
    }
    q <- sum((b - sum(b / v) / sum(1 / v))^2 / v)
    data.frame(model = model, q = q, df = length(b) - 1, p_value = pchisq(q, length(b) - 1, lower.tail = FALSE))
  })
  do.call(rbind, rows)
}

regression <- function(data, a) {
  names <- paste0("moderator_", seq_along(a$moderators))
  data <- subset_of(data, complete.cases(data$rows[names]))
  if (a$dependence == "combine") {
    data <- combined(data, do.call(paste, c(data$rows[c("study", names)], sep = "\r")))
  }
  columns <- list()
  for (i in seq_along(names)) {
    levels <- a$levels[[i]]
    values <- data$rows[[names[i]]]
    if (is.null(levels)) columns[[a$moderators[i]]] <- as.numeric(values)
    for (level in levels[-1]) columns[[paste0(a$moderators[i], ": ", level)]] <- as.numeric(values == level)
  }
  X <- do.call(cbind, columns)
  fit <- fit_random(data, a, X)
  result(a$name, "random", a$treatment, a$versus, fit$beta, fit$se, fit$ci.lb, fit$ci.ub, tau2 = tau2_of(fit),
         term = c("intercept", names(columns)))
}

# --- networks -------------------------------------------------------------------------------------------------

design <- function(rows, a) {
  X <- sapply(a$treatments, function(name) (rows$treatment == name) - (rows$versus == name))
  matrix(X, nrow(rows), dimnames = list(NULL, a$treatments))[, a$treatments != a$reference, drop = FALSE]
}

# Contrasts of each study with its base arm; their true effects are correlated by one half.
network_fit <- function(data, X, tau2) {
  rows <- data$rows
  rows$contrast <- seq_len(nrow(rows))
  if (identical(tau2, 0)) return(rma.mv(yi, data$V, mods = X, intercept = FALSE, data = rows))
  fixed <- if (is.numeric(tau2)) list(tau2 = tau2) else list(method = tau2, control = NEAR)
  call <- list(yi = rows$yi, V = data$V, mods = X, intercept = FALSE, random = ~ contrast | block,
               struct = "CS", rho = 0.5, data = rows)
  do.call(rma.mv, c(call, fixed))
}

# Generalised DerSimonian-Laird (Jackson, White and Riley 2012).
network_dl <- function(data, X) {
  W <- solve(data$V)
  P <- W - W %*% X %*% solve(t(X) %*% W %*% X, t(X) %*% W)
  same <- outer(data$rows$block, data$rows$block, "==")
  R <- same * (diag(nrow(X)) + 1) / 2
  q <- as.numeric(t(data$rows$yi) %*% P %*% data$rows$yi)
  max(0, (q - nrow(X) + ncol(X)) / sum(P * R))
}

all_pairs <- function(a, b, covariance) {
  names <- a$treatments
  at <- match(names, setdiff(names, a$reference))
  L <- matrix(0, length(names), length(b))
  for (i in which(!is.na(at))) L[i, at[i]] <- 1
  pairs <- which(outer(names, names, "!="), arr.ind = TRUE)
  D <- L[pairs[, 1], , drop = FALSE] - L[pairs[, 2], , drop = FALSE]
  data.frame(treatment = names[pairs[, 1]], versus = names[pairs[, 2]], b = as.numeric(D %*% b),
             se = sqrt(pmax(0, rowSums((D %*% covariance) * D))))
}

network <- function(a) {
  data <- read_rows(a$file)
  found <- network_once(data, a)
  if (a$leave_one_out) for (study in unique(data$rows$study)) {
    rest <- subset_of(data, data$rows$study != study)
    left <- a
    left$treatments <- intersect(a$treatments, c(rest$rows$treatment, rest$rows$versus))
    if (!a$reference %in% left$treatments) left$reference <- left$treatments[1]
    if (qr(design(rest$rows, left))$rank == length(left$treatments) - 1) {
      found <- rbind(found, network_once(rest, left, without = study))
    }
  }
  found
}

network_once <- function(data, a, without = "") {
  X <- design(data$rows, a)
  df <- nrow(X) - ncol(X)
  found <- NULL
  for (model in a$models) {
    tau2 <- if (model == "common") 0 else if (a$tau2 == "DL") network_dl(data, X) else a$tau2
    if (model == "random" && df < 1) next
    fit <- network_fit(data, X, tau2)
    between <- if (model == "common") NA else sum(fit$tau2)
    pairs <- all_pairs(a, fit$beta, fit$vb)
    z <- qnorm(0.975) * pairs$se
    rows <- result(a$name, model, pairs$treatment, pairs$versus, pairs$b, pairs$se, pairs$b - z, pairs$b + z,
                   tau2 = between, without = without)
    if (model == "random" && df > 1) {
      reach <- qt(0.975, df) * sqrt(pairs$se^2 + between)
      rows$pi_lower <- pairs$b - reach
      rows$pi_upper <- pairs$b + reach
    }
    found <- rbind(found, rows)
  }
  found
}

# --- networks as Bayesians have them, with normal likelihoods: no sampling --------------------------------------

# Effects against the reference ~ normal(0, effect_sd^2); tau by its prior on a grid, everything else in closed
# form.
bayes <- function(a) {
  data <- read_rows(a$file)
  X <- design(data$rows, a)
  blocks <- split(seq_len(nrow(X)), data$rows$block)
  at <- function(tau) {
    precision <- diag(a$effect_sd^-2, ncol(X))
    shift <- rep(0, ncol(X))
    logs <- if (is.finite(a$effect_sd)) -ncol(X) * log(a$effect_sd) else 0
    square <- 0
    for (i in blocks) {
      V <- data$V[i, i, drop = FALSE] + tau^2 * (diag(length(i)) + 1) / 2
      half <- chol(V)
      x <- backsolve(half, X[i, , drop = FALSE], transpose = TRUE)
      y <- backsolve(half, data$rows$yi[i], transpose = TRUE)
      precision <- precision + crossprod(x)
      shift <- shift + as.numeric(crossprod(x, y))
      square <- square + sum(y^2)
      logs <- logs - sum(log(diag(half)))
    }
    covariance <- chol2inv(chol(precision))
    mean <- as.numeric(covariance %*% shift)
    logs <- logs - (square - sum(shift * mean)) / 2 + as.numeric(determinant(covariance)$modulus) / 2
    pairs <- all_pairs(a, mean, covariance)
    list(log = logs, b = pairs$b, se = pairs$se, pairs = pairs)
  }
  found <- NULL
  for (model in a$models) {
    if (model == "common") {
      tau <- 0
      weight <- 1
      parts <- list(at(0))
    } else {
      # Over the logarithm of tau, by the trapezoid rule: looked over coarsely, then where the mass is.
      grid <- function(from, to, n) {
        tau <- exp(seq(log(from), log(to), length.out = n))
        parts <- lapply(tau, at)
        logs <- sapply(parts, function(part) part$log) + log(a$prior(tau)) + log(tau)
        weight <- exp(logs - max(logs[is.finite(logs)]))
        weight[!is.finite(weight)] <- 0
        weight[c(1, n)] <- weight[c(1, n)] / 2
        list(tau = tau, parts = parts, weight = weight / sum(weight))
      }
      coarse <- grid(a$tau_from, a$tau_to, 400)
      mass <- range(which(coarse$weight > 1e-9))
      fine <- grid(coarse$tau[max(1, mass[1] - 1)], coarse$tau[min(400, mass[2] + 1)], 600)
      tau <- fine$tau
      parts <- fine$parts
      weight <- fine$weight
    }
    keep <- weight > 1e-12
    b <- sapply(parts[keep], function(part) part$b)
    se <- sapply(parts[keep], function(part) part$se)
    b <- matrix(b, ncol = sum(keep))
    se <- matrix(se, ncol = sum(keep))
    weight <- weight[keep]
    mean <- as.numeric(b %*% weight)
    sd <- sqrt(as.numeric((se^2 + (b - mean)^2) %*% weight))
    quantile <- function(p) sapply(seq_along(mean), function(i) {
      uniroot(function(x) sum(weight * pnorm(x, b[i, ], se[i, ])) - p, mean[i] + c(-1, 1) * 60 * sd[i],
              tol = 1e-8 * sd[i])$root
    })
    pairs <- parts[[1]]$pairs
    found <- rbind(found, result(a$name, model, pairs$treatment, pairs$versus, mean, sd, quantile(0.025),
                                 quantile(0.975), tau2 = if (model == "common") NA else sum(weight * tau[keep]^2)))
  }
  found
}

# --- against the results of evidence ----------------------------------------------------------------------------

shown <- function(results) {
  options(width = 200)
  rows <- results[results$without == "", setdiff(names(results), "without")]
  print(format(rows, digits = 6), row.names = FALSE)
}

compare <- function(results, file = "expected.csv") {
  if (!file.exists(file)) return(invisible())
  keys <- c("analysis", "model", "subgroup", "without", "term", "treatment", "versus")
  text <- rep("character", length(keys))
  expected <- read.csv(file, na.strings = "NA", colClasses = setNames(text, keys))
  both <- merge(results, expected, by = keys, suffixes = c("", ".expected"))
  numbers <- c("estimate", "std_error", "ci_lower", "ci_upper")
  cat("\nLargest differences from the results of evidence, in standard errors:\n")
  for (name in unique(expected$analysis)) {
    rows <- both[both$analysis == name, ]
    apart <- sapply(numbers, function(number) {
      d <- abs(rows[[number]] - rows[[paste0(number, ".expected")]]) / rows$std_error.expected
      if (all(is.na(d))) NA else max(d, na.rm = TRUE)
    })
    cat("difference", sum(expected$analysis == name), nrow(rows), format(apart, digits = 3), name, "\n", sep = "|")
  }
}
