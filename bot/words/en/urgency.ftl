# Nudges and reminders, escalation, stand-ins (the command `delegate`), and break-glass.

## Why not

denied-nudged = You reminded the approvers less than an hour ago. Wait until the hour is over, or call one of them.
denied-no-review = Break-glass was not used for this request, so there is nothing to review.
denied-own-review = You used break-glass yourself, so another approver has to review it.
denied-reviewed = Another approver has already reviewed this. The card says who, and when.
denied-no-stand-in = Only approvers can hand over their role, and only their own: a stand-in can't pass it on. Ask an approver to name somebody else.
denied-stands-in-for-requester = You stand in for the person who made this request, so you can't decide on it. Ask another approver.

## Nudges and escalation

command-nudge = nudge K7QF2M9X
    .does = Remind the approvers of your request, at most once an hour
button-nudge = Remind approvers
nudged = The requester reminded the approvers on { $when }.
nudge-sent = I reminded the approvers of request { $request }. You can do that once an hour.
escalated = Nobody decided in time, so the people of the escalation can approve this request, too, since { $when }.
notification-nudge = { $requester } asks you to decide on request { $request }: { $phones ->
        [one] { $phones } phone waits
       *[other] { $phones } phones wait
    } for approval. Decide on the approval card, or send status { $request }.
notification-escalated = Request { $request } by { $requester } is escalated, since nobody has decided yet: { $phones ->
        [one] { $phones } phone waits
       *[other] { $phones } phones wait
    } for approval. From now on, the people of the escalation can approve it, too. Decide on the approval card, or send status { $request }.

## Stand-ins

command-delegate = delegate @Name until Friday
    .does = Let somebody approve in your place; delegate alone shows who does, delegate stop ends it
stand-in-name = { $person } for { $approver }
stand-in-headline = Who approves for whom
stand-in-none = You stand in for nobody, and nobody stands in for you.
stand-in-given = { $person } stands in for you until { $until }.
stand-in-received = You stand in for { $approver } until { $until }.
stand-in-form = Hand over your role
stand-in-how = Your stand-in can do what you can do as an approver, but cannot decide on their own requests or on yours, and cannot pass it on. Cards and the audit show both names. You stay an approver. Whoever stands in for you already is replaced.
label-stand-in = Stand-in
placeholder-stand-in = Search by name
stand-in-who-card = Select a person.
label-until = Until the end of
stand-in-when-card = Select a day, at most 30 days from now.
button-stand-in = Hand over
button-stand-in-stop = Stop
stand-in-who = I go by mentions, not by names: type @ and select one person, for example delegate @Name until Friday. If you can't mention them here, send delegate alone and select them on the card.
stand-in-when = I don't understand "{ $text }". I understand, for example: until Friday, until tomorrow 12:00, until 2026-12-24, until 24 December, for 3 days, for 1 week.
stand-in-yourself = You can't stand in for yourself. Name somebody else.
stand-in-not-a-member = I can't find that person in your organization's directory. A stand-in must be a member of your organization, and one person, not a group.
stand-in-guest = { $person } is a guest of your organization, and guests can't stand in. Name a member.
stand-in-past = That time is over. Name a later one.
stand-in-too-long = A stand-in is for at most 30 days. Name an earlier day; you can hand over again then.
stand-in-no-directory = I can't tell now who that is, because the directory does not answer. Try again in a minute.
stand-in-no-roster = I can't tell now who that is, because Teams does not answer. Try again in a minute, or send delegate alone and select them on the card.
stand-in-done = { $person } stands in for you until { $until }. To end it earlier, send delegate stop.
stand-in-stopped = { $person } no longer stands in for you.
stand-in-nothing-to-stop = Nobody stands in for you.
notification-stand-in = { $person } stands in for { $approver } as an approver until { $until }.
notification-stand-in-ended = { $person } no longer stands in for { $approver } as an approver.
whoami-stands-in = Stands in for

## Break-glass

button-break-glass = Break glass…
break-glass-warning = For emergencies only: you approve your own request, and this resets the { $accounts ->
        [one] password of { $accounts } account
       *[other] passwords of { $accounts } accounts
    }.
break-glass-how = All approvers are told at once, with your reason and ticket, and another approver has to review what you did.
label-break-glass-reason = Why it can't wait for an approver
break-glass-reason = Say why this can't wait for an approver.
label-break-glass-ticket = Ticket
break-glass-ticket = Enter the number of the incident's ticket.
label-passwords = How many passwords does this reset?
break-glass-passwords = Enter how many passwords this resets: { $accounts }.
button-break-glass-now = { $accounts ->
        [one] Approve my own request and reset { $accounts } password
       *[other] Approve my own request and reset { $accounts } passwords
    }
notification-break-glass = Break-glass: { $person } approved their own request { $request }, without another approver, which resets { $accounts ->
        [one] { $accounts } password
       *[other] { $accounts } passwords
    }. Reason: "{ $reason }". Ticket: { $ticket }. An approver has to review it. To stop what has not been sent yet, send cancel { $request }.
notification-review-open = The break-glass of request { $request }, which { $person } approved alone, still waits for a review by another approver. Confirm on its card, or send status { $request } to get the card.
timeline-break-glass = { $person } approved their own request with break-glass on { $when }. Reason: "{ $reason }". Ticket: { $ticket }.
timeline-passed-over = Without break-glass, it would have needed { $votes ->
        [one] the approval of { $votes } other person
       *[other] the approvals of { $votes } other people
    }.
timeline-review-open = No other approver has reviewed this yet.
timeline-reviewed = { $person } reviewed the break-glass on { $when }: "{ $comment }"
line-review-open = ! Break-glass, not reviewed
review-headline = Break-glass: { $person } approved their own request and reset { $accounts ->
        [one] { $accounts } password
       *[other] { $accounts } passwords
    }
review-state-open = Not reviewed
review-state-closed = Reviewed
review-closed = { $person } reviewed the break-glass
review-how = Ask { $person } what happened, and look at the phones: send status { $request }. Then say below what you found. Confirming undoes nothing and approves nothing.
label-review = What you looked at
placeholder-review = For example: INC0012345 is a real outage, phones are those of the ticket
review-comment = Say what you looked at.
button-review = I have seen this
