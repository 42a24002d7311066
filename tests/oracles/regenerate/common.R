# What the scripts of this folder share: reading the inputs that a pinned file keeps, and writing one.
options(digits = 15, warn = 1)
suppressMessages({
  library(metafor)
  library(metadat)
})
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))

# JSON is nearly R: lists, vectors, and a list of the keys that a mapping has.
from_json <- function(name) {
  text <- paste(readLines(file.path(here, "..", name), warn = FALSE), collapse = "\n")
  text <- gsub("\\[", "c(", gsub("\\]", ")", gsub("\\{", "list(", gsub("\\}", ")", text))))
  for (word in c("null", "true", "false")) text <- gsub(paste0("\\b", word, "\\b"), sub("NULL", "NA", toupper(word)), text)
  eval(parse(text = gsub("\"\\s*:", "\"=", text)))
}

number <- function(x) ifelse(is.na(x), "null", formatC(x, digits = 15, format = "g", width = 1))
quoted <- function(x) paste0("\"", gsub("\"", "\\\\\"", x), "\"")

to_json <- function(x, depth = 0) {
  if (is.list(x) && !is.null(names(x))) {
    parts <- paste0(quoted(names(x)), ": ", vapply(x, to_json, "", depth = depth + 1))
    return(paste0("{", paste(parts, collapse = if (depth < 2) ",\n" else ", "), "}"))
  }
  if (is.null(x) || identical(x, list())) return("{}")
  if (is.list(x)) return(paste0("[", paste(vapply(x, to_json, "", depth = 9), collapse = ", "), "]"))
  each <- if (is.character(x)) quoted(x) else if (is.logical(x)) ifelse(is.na(x), "null", tolower(x)) else number(x)
  if (length(x) == 1 && !inherits(x, "AsIs")) each else paste0("[", paste(each, collapse = ", "), "]")
}

say <- function(...) cat(to_json(list(...)), "\n", sep = "")
rows_of <- function(m) lapply(seq_len(nrow(m)), function(i) as.vector(m[i, ]))
