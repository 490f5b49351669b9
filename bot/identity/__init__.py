"""Entra ID identities: the app's credentials, access tokens, and approvers' delegations.

Independent of botbuilder.
"""
