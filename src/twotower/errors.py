"""The errors that a user can mend: each says what was found, what was expected and what to do.

Stage scripts and the command line print these as one message and exit with code 1; anything else
is a defect of ours and keeps its traceback.
"""

from __future__ import annotations


class TwoTowerError(Exception):
    """Base of every error that is the user's to mend."""


class ConfigError(TwoTowerError):
    """params.yaml holds something that cannot be run."""


class DataError(TwoTowerError):
    """An input file or folder is missing, malformed or holds nothing usable."""


class DownloadError(DataError):
    """A file cannot be fetched, or what came is not the file that was expected."""


class TrainingError(TwoTowerError):
    """Training cannot start, or went wrong in a way that must not end in a model."""


class TrackingError(TwoTowerError):
    """The MLflow store cannot be used."""


class CollapseError(TrainingError):
    """The towers map everything to one direction: every score is the same."""
