"""The one exception that means "the user can mend this": shown as a single sentence, never as a traceback."""


class UserError(Exception):
    """A mistake in input, configuration or environment.

    The message is one clear sentence: what was wrong, where, and what to do. The command line prints it to
    standard error and exits with status 2.
    """
