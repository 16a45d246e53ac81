# R's glmnet in its own process: the protocol of worker.py.
# Its gaussian elastic net divides y by its standard deviation first; the data come with one already.
answer <- function(...) { cat(..., "\n", sep = ""); flush(stdout()) }
if (!suppressWarnings(suppressPackageStartupMessages(require(glmnet, quietly = TRUE)))) {
  answer("missing glmnet"); quit()
}
glmnet.control(fdev = 0, devmax = 1, mxit = 100000, epsnr = 1e-12, mxitnr = 1000)
answer("ready ", as.character(packageVersion("glmnet")))

read_npy <- function(folder, name, what, n) {
  con <- file(file.path(folder, paste0(name, ".npy")), "rb")
  on.exit(close(con))
  readBin(con, "raw", 8)
  readBin(con, "raw", readBin(con, "integer", 1, size = 2, signed = FALSE))
  readBin(con, what, n, size = if (what == "double") 8 else 4)
}

load_problem <- function(folder) {
  lines <- strsplit(readLines(file.path(folder, "spec.txt")), " ")
  spec <- setNames(lapply(lines, function(v) v[2]), sapply(lines, function(v) v[1]))
  num <- function(name) as.numeric(spec[[name]])
  n <- num("n"); p <- num("p")
  if (num("sparse")) {
    pointer <- read_npy(folder, "indptr", "integer", p + 1)
    nnz <- pointer[p + 1]
    X <- new("dgCMatrix", i = read_npy(folder, "indices", "integer", nnz), p = pointer,
             x = read_npy(folder, "data", "double", nnz), Dim = as.integer(c(n, p)))
  } else X <- matrix(read_npy(folder, "X", "double", n * p), n, p)
  list(kind = spec$kind, X = X, y = read_npy(folder, "y", "double", n), alpha = num("l1_ratio"),
       lambdas = read_npy(folder, "lambdas", "double", num("n_lambdas")),
       folds = read_npy(folder, "folds", "double", n))
}

solve_problem <- function(d, tol) {
  # The mode with the Gram matrix where it pays, as its manual advises.
  type <- if (nrow(d$X) > ncol(d$X)) "covariance" else "naive"
  common <- list(x = d$X, y = d$y, lambda = d$lambdas, alpha = d$alpha, standardize = FALSE, thresh = tol, maxit = 1e9)
  if (d$kind == "cv")
    return(do.call(cv.glmnet, c(common, list(foldid = d$folds + 1, type.gaussian = type)))$cvm)
  common$intercept <- FALSE
  family <- switch(d$kind, l1 = "gaussian", logistic = "binomial", multinomial = "multinomial",
                   poisson = "poisson", cox = "cox", gamma = Gamma(link = "log"), stop("does not offer this"))
  if (d$kind == "l1") common$type.gaussian <- type
  if (d$kind == "cox") {
    common$y <- cbind(time = d$y, status = 1)
    common$intercept <- NULL
  }
  do.call(glmnet, c(common, list(family = family)))
}

as_rows <- function(fit, d) {
  if (is.numeric(fit)) return(as(matrix(fit, nrow = 1), "dgCMatrix"))
  beta <- if (is.list(fit$beta)) do.call(rbind, fit$beta) else fit$beta
  short <- length(d$lambdas) - ncol(beta)
  if (short > 0) beta <- beta[, c(seq_len(ncol(beta)), rep(ncol(beta), short))]
  as(beta, "dgCMatrix")
}

small <- function(d) {
  d$X <- d$X[1:min(80, nrow(d$X)), 1:min(100, ncol(d$X))]
  d$y <- d$y[1:nrow(d$X)]; d$folds <- d$folds[1:nrow(d$X)]
  d$lambdas <- d$lambdas[1:4]
  d
}

write_rows <- function(m, result) {
  dump <- function(values, end, ...) {
    con <- file(paste0(result, end), "wb"); on.exit(close(con)); writeBin(values, con, ...)
  }
  dump(m@x, ".data"); dump(m@i, ".indices"); dump(m@p, ".indptr")
}

here <- ""
input <- file("stdin", "r")
while (length(line <- readLines(input, 1)) > 0) {
  parts <- strsplit(line, "\t")[[1]]
  outcome <- tryCatch({
    if (parts[1] != here) {
      d <- load_problem(parts[1]); here <- parts[1]
      try(suppressWarnings(solve_problem(small(d), 1e-7)), silent = TRUE)
    }
    invisible(gc())
    start <- Sys.time(); used <- proc.time()
    fit <- suppressWarnings(solve_problem(d, as.numeric(parts[2])))
    used <- sum((proc.time() - used)[c("user.self", "sys.self")])
    wall <- as.numeric(difftime(Sys.time(), start, units = "secs"))
    write_rows(as_rows(fit, d), parts[3])
    paste("ok", format(wall, digits = 15), format(used, digits = 15))
  }, error = function(e) paste0("error ", gsub("[\r\n]+", " ", conditionMessage(e))))
  answer(outcome)
}
