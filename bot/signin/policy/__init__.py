"""Who may do what: the policy as a value, facts about whoever acts and about the request, and one evaluator
for asking and for clicking. Pure; `bot.store.policy_facts` reads the facts."""
