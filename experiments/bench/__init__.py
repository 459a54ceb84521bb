"""What the experiments share: measuring, recording, progress, tables, style."""


class ExperimentError(Exception):
    """What was asked for can't be done; the message says what to do instead."""
