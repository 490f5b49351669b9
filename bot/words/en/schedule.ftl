# Starts at a set time. `start` and the like are times that are written out: in the requester's time zone,
# and in UTC if that differs.

## The form

button-start-later = Start later…
start-later-how = Leave date and time empty to start as soon as the request is approved. A set start is at least 5 minutes and at most 30 days away, and the request has to be approved before it.
start-later-approver = Sign-ins run with an approver's permissions, and Offhook does not keep those for hours. So an approver has to sign in around the start; Offhook asks for it 15 minutes before.
label-run-at = Start on
label-run-at-time = Start at
label-run-at-zone = Time zone
placeholder-run-at-zone = Yours, or for example Europe/Berlin
label-run-at-which = { $time } comes twice that day, since the clocks are set back
error-run-at-which = Select which of the two you mean.
choice-which-earlier = The earlier one, { $offset }
choice-which-later = The later one, { $offset }

## What is wrong with a start

start-unreadable = Enter both a date and a time for the start, or leave both empty to start once the request is approved.
start-zone-unknown = I don't know the time zone "{ $zone }". Enter it as region and city, for example Europe/Berlin, or enter UTC.
start-zone-missing = Teams doesn't say which time zone you are in. Enter it with the start, for example Europe/Berlin.
start-skipped = { $time } doesn't exist on that day in { $zone }: the clocks are set forward then. Enter another time, for example { $other }.
start-past = { $start } is over. Enter a later date or time.
start-too-soon = The start is too soon to be approved. Enter one that is at least { $minutes } minutes away, or leave date and time empty to start once the request is approved.
start-too-far = The start can be at most { $days } days away. Enter an earlier date.
start-votes-missing = By the policy in force now, this request needs more approvals: { $wanted }. Cancel it, and ask its requester to request approval again.
start-closed = The request can't start { $now ->
        [1] now
       *[other] then
    }. { $why }{ $known ->
        [0] {""}
       *[other] {" "}The next opening is { $opens }.
    }

opening-closed = Your organization's change windows and freezes do not allow it.
opening-never = Your organization's change windows and freezes leave no time for it. Ask your Offhook operator to change the policy.

## On cards

start-asks = Approval is not requested yet: look at the start at the end of this card.
start-proposed = Starts { $start }, if approved before then.
start-approve-by = Starts { $start }, if approved by { $by }.
start-approve-before = Starts { $start }, if approved before then.
start-run-within = If Offhook can't start it within an hour of that time, it doesn't start by itself: an approver is asked.
start-approver-signs-in = An approver has to sign in at { $start }: it runs with their permissions, which Offhook does not keep until then. It asks for that 15 minutes before.
approval-starts-later = The sign-in starts at that time; accounts that were not checked recently are checked again first. Until then, the requester can withdraw the request, and an approver can cancel it.
approval-permissions-later = You sign in now to show that you have a role that can reset passwords. At its time, accounts that were not checked recently are checked again first. Until then, the requester can withdraw the request, and an approver can cancel it.
timeline-start = To start on { $start }.
state-scheduled = Scheduled
state-missed = Not started
state-held = On hold
status-scheduled = Approved. The sign-in of { $total ->
        [one] { $total } phone
       *[other] { $total } phones
    } has not started yet.
status-missed = Approved, but not started. The sign-in of { $total ->
        [one] { $total } phone
       *[other] { $total } phones
    } waits for an approver.
progress-scheduled = Starts { $start }.
progress-missed = Not started at its time. An approver has to decide.
scheduled-until = No password is reset before. Until then, the requester can withdraw the request, and an approver can cancel it. Accounts that were not checked recently are checked again first.
scheduled-sign-in = An approver has to sign in for the start: it runs with their permissions. They select Sign in to continue; the sign-in still waits for its time.
scheduled-sign-in-late = It was to start { $start }. It starts as soon as an approver signs in.
missed-late = Offhook could not start it by { $by }. The service was probably down.
missed-denied = Whoever requested or approved it may not do so any more.
missed-closed = It could not start at { $start }. { $why }{ $known ->
        [0] {""}
       *[other] {" "}The next opening is { $opens }. Start now works from then on.
    }
missed-how = No password has been reset. Someone who can approve the request can select Start now, or an approver can cancel it. Accounts that were not checked recently are checked again first.
button-start-now = Start now

## Waiting for a change window to go on

state-paused = Paused
status-paused = Paused: { $ended } of { $total ->
        [one] { $total } phone is
       *[other] { $total } phones are
    } done.
progress-paused = Waits for a change window. { $ended } of { $total ->
        [one] { $total } phone is
       *[other] { $total } phones are
    } done.
paused-why = Your organization's change windows and freezes allow no sign-ins now. { $pending ->
        [one] { $pending } phone waits
       *[other] { $pending } phones wait
    } until they do.
paused-until = Offhook continues by itself on { $when }.
paused-never = By the policy, no window opens in the next year. Ask your Offhook operator to change the policy, or cancel the request.
paused-sign-in = It runs with an approver's permissions, which Offhook does not keep until then. Offhook asks an approver to sign in 15 minutes before.
paused-under-way = { $phones ->
        [one] { $phones } phone in progress was sent before. Offhook follows it to the end.
       *[other] { $phones } phones in progress were sent before. Offhook follows them to the end.
    }
paused-cancel = The requester or an approver can cancel what has not been sent.

line-starts = Starts { $start }

## Windows of phones, at a set start

windows-start-too-late = { $phones ->
        [one] At the start, { $phones } phone will be too late: provisioned more than 72 hours before, it
       *[other] At the start, { $phones } phones will be too late: provisioned more than 72 hours before, they
    } must be provisioned again ({ $names }{ $more ->
        [0] {""}
        [one] {" "}and 1 more
       *[other] {" "}and { $more } more
    }).
windows-start-nearly-too-late = { $phones ->
        [one] At the start, { $phones } phone will be nearly too late: provisioned
       *[other] At the start, { $phones } phones will be nearly too late: provisioned
    } more than 70 hours before ({ $names }{ $more ->
        [0] {""}
        [one] {" "}and 1 more
       *[other] {" "}and { $more } more
    }).
windows-start-too-early = { $phones ->
        [one] At the start, { $phones } phone will be too early: provisioned
       *[other] At the start, { $phones } phones will be too early: provisioned
    } less than an hour before, or later ({ $names }{ $more ->
        [0] {""}
        [one] {" "}and 1 more
       *[other] {" "}and { $more } more
    }).
start-misses-windows = Phones will be too early or too late then, as the top of this card says.
start-confirm = To keep this start, select Request approval again. Otherwise, change it.
start-cut-short = It will probably not be over when the change window closes, on { $when }. Expected length: { $length }. What is not sent by then waits, and continues when a window is open again.

## Notifications

notification-scheduled = Request { $request }: { $approver } approved the sign-in of { $phones ->
        [one] { $phones } phone
       *[other] { $phones } phones
    }, requested by { $requester }. It starts { $start }.
notification-missed = Request { $request } did not start at its time. No password has been reset. Someone who can approve it can start it now. To see why, send status { $request } to Offhook.
notification-paused = Request { $request } waits: your organization's change windows and freezes allow no sign-ins now. { $known ->
        [0] By the policy, none opens in the next year. Ask your Offhook operator to change the policy, or cancel the request.
       *[other] It continues on { $opens } at the earliest. To stop it instead, send cancel { $request } to Offhook.
    } What was sent before is followed to the end.
notification-withdrawn = Request { $request } was withdrawn by { $requester } before it started. Nothing was changed.
