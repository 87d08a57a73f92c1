"""Sweeps: many runs of one command, as Hydra's grid or as trials that Optuna chooses.

Optuna is imported inside functions only, since the command line imports this package; without it grids work.
"""
