"""Every change of a request's, a batch's and a phone's state, one function each.

Each function is called in a transaction and does all that belongs to its transition there:
compare-and-set, audit event, posts for the outbox. So nothing is told that did not happen, and nothing
that happened is kept quiet. Which transitions exist is in `bot.signin`.
"""
