"""Offhook: a Microsoft Teams bot that signs in SIP phones in bulk through the Teams SIP Gateway."""

__version__ = "0.1.0"
