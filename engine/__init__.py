"""Settlement engine of the electronic social security card."""

__version__ = "0.1.0"
