"""What came of a sweep: a table, plots and the best configurations as commands, of searches and of grids."""
