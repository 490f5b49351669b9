"""Simulated remote services as HTTP servers on loopback: SIP Gateway (ConfigAPI), Graph, Entra ID, the
Teams connector, and file storage.

They follow the published behavior of the real services, run a scenario, and count their calls. Imported
only by the composition root, the command line and the tests.
"""
