# Why somebody may not do something. $named is the number of groups that the policy names in $who.

denied-not-requester = You can't request sign-ins. { $named ->
        [0] Ask your Offhook operator to add you to the requesters.
       *[other] Members of { $who } can. Ask your Offhook operator to add you.
    }
denied-not-approver = You can't approve or reject sign-ins. { $named ->
        [0] Ask an approver, or ask your Offhook operator to add you to the approvers.
       *[other] For this, ask members of { $who }.
    }
denied-excluded = You can't do this: rule "{ $rule }" of the policy excludes you. { $named ->
        [0] Ask somebody else, or your Offhook operator.
       *[other] Ask other members of { $who }.
    }
denied-no-checks = Only approvers can run checks. { $named ->
        [0] Ask an approver to send me checks.
       *[other] Ask members of { $who } to send me checks.
    }
denied-guest = You are a guest of this organization, and its policy does not let guests do this. { $named ->
        [0] Ask a member of the organization who may do it.
       *[other] Ask members of { $who } to do it.
    }
denied-guest-unknown = I can't tell right now whether you are a guest of this organization, because Microsoft Entra ID did not say. Nothing was changed. Try again in a minute. If it stays so, ask your Offhook operator.
denied-out-of-view = The policy limits you to certain requests ("{ $rule }"), and this is not one of them. { $named ->
        [0] Ask an approver who may see it.
       *[other] Ask members of { $who } who may see it.
    }
denied-directory-down = I can't tell right now whether you may do that, because Microsoft Entra ID did not answer. Nothing was changed. Try again in a minute.
denied-voters-unknown = Yours is the last approval, but I can't tell right now whether those before you may still approve, because Microsoft Entra ID did not answer. Nothing was changed. Try again in a minute.
denied-no-such-request = I can't find this request. Send history to see the latest requests.
denied-not-yours = Only the requester can do that.
denied-no-cancel = Only the requester or an approver can cancel a request. { $named ->
        [0] Ask one of them.
       *[other] Approvers are the members of { $who }.
    }
denied-not-a-draft = Approval has already been requested. Send status to see where the request stands.
denied-too-late-to-withdraw = The request has already been decided and can't be withdrawn. If it is running, cancel it instead.
denied-already-decided = This request has already been decided. The card says who decided what, and when.
denied-already-voted = You have approved this request already. { $named ->
        [0] It still needs other approvers.
       *[other] It still needs members of { $who }.
    }
denied-not-wanted = Your approval is not needed at this point. { $named ->
        [0] The request needs other approvers.
       *[other] Members of { $who } have to approve first.
    } You can still reject it.
denied-own-request = You can't decide on your own request. { $named ->
        [0] Ask another approver.
       *[other] Ask other members of { $who }.
    }
denied-expired = This request has expired. Nothing was changed. To request approval again, send the file again.
denied-comment-missing = Write a comment that says why: rule "{ $rule }" of the policy asks for one.
denied-reason-missing = Write a reason: rule "{ $rule }" of the policy asks for one. Only the requester can give it, when they ask for approval.
denied-ticket-missing = { $example ->
        [0] Enter a ticket that matches { $ticket }
       *[other] Enter a ticket such as { $ticket }
    }: rule "{ $rule }" of the policy asks for one. Only the requester can, when they ask for approval.
denied-limit = A requester may have { $limit ->
        [one] { $limit } account
       *[other] { $limit } accounts
    } signed in within 24 hours, and you have { $left } left. Send fewer rows, or ask another requester or your Offhook operator.
denied-window-closed = { $scheduled ->
        [0] Sign-ins may not start now. The policy lets this request start from { $opens } on. Approve it then.
       *[other] This request is to start at a time that the policy does not allow any more. The next opening is { $opens }. Reject it, and ask for a new request that starts then.
    }
denied-window-never = The policy's change windows and freezes leave no time at which this request may start. Ask your Offhook operator to change the policy, or reject the request.
denied-not-running = The request is not running. Send status to see where it stands.
denied-already-cancelling = The request is already being canceled. Phones already sent will run to completion.
denied-not-ended = The request has not ended yet. Retry once it has.
denied-no-break-glass = You can't approve your own request, not even in an emergency. { $named ->
        [0] Ask an approver.
       *[other] Only members of { $who } can approve theirs. Ask an approver.
    }

# Votes, on cards and in messages.

votes-given = Approved so far: { $people }
votes-none = Nobody has approved yet.
votes-wanted = Still wanted: { $wanted }
votes-wanted-of = { $votes } of { $who }
votes-wanted-approvers = { $votes ->
        [one] { $votes } approver
       *[other] { $votes } approvers
    }
votes-left = { $person } approved, but may not approve any more, so it does not count.
votes-changed = { $person } approved before the request changed, so it does not count.
votes-vote = { $person }, { $when }
votes-not-last = The sign-in starts with the last approval.
votes-opens = The policy lets this request start from { $when } on. Until then, the last approval is refused.
votes-opens-start = The policy does not allow the start of this request any more, so the last approval is refused. The next opening is { $when }. An approver can reject it, or its requester can withdraw it and ask for a start then.
votes-never = The policy's change windows and freezes leave no time at which this request may start. Ask your Offhook operator to change the policy.
notification-voted = { $person } approved request { $request }. Still wanted: { $wanted }
notification-votes-void = The approvals of request { $request } by { $people } no longer count, because the request changed. Its card says what changed.
notification-unsatisfiable = Nobody can complete the approval of request { $request }: it needs { $wanted }, and too few people who did not make it are in these groups. Ask your Offhook operator to add people, or withdraw the request.

history-own-only = I can't tell right now whether you may see other people's requests, because Microsoft Entra ID did not answer. These are yours. Try again in a minute.
whoami-unsure = I can't tell all of your roles right now, because Microsoft Entra ID did not answer.
whoami-audits-label = Audit
whoami-audits = Auditor: you can see other people's requests
