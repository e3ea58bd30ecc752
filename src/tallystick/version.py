"""The version, stated once: the build, the command line and the HTTP headers all read it here."""

__version__ = "0.1.0"
