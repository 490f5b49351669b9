"""The far sides as HTTP servers on loopback: SIP Gateway (ConfigAPI), Graph, Teams connector, files.

They keep to what is published of the real ones, take a scenario, and count what they were asked.
Nothing outside the composition root, the demo and the tests imports this.
"""
