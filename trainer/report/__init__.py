"""report/: the results of a training, in numbers, in plots and as a page."""
