# metafor on the same table: Rscript peers.R DL|REML effects.csv; prints as peers.py does.
arguments <- commandArgs(TRUE)
suppressMessages(library(metafor))
table <- read.csv(arguments[2])
taken <- min(replicate(2, sum(system.time(rma(y, v, data = table, method = arguments[1]))[1:2])))
status <- readLines("/proc/self/status")
peak <- as.numeric(gsub("[^0-9]", "", grep("^VmHWM", status, value = TRUE))) / 1024
cat(sprintf('{"cpu": %.4f, "peak": %.1f}\n', taken, peak))
