"""What the experiments share: settings, measuring, records, tables, figures."""


class ExperimentError(Exception):
    """What was asked for can't be done; the message says what to do instead."""
