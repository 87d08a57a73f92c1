"""What run folders tell about the runs that made them: state, figures, configuration. Only status.json is written."""
