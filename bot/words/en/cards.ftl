# Text on cards. Plain sentences without Markdown: the card view escapes arguments and styles the text.
# On cards that follow a request the bot is "Offhook". The static cards at the end answer one person
# directly, so there it says "I".

someone = someone
summary = { $headline } Request { $request }.
origin = Request { $request }, from { $file }.
origin-retry = Retry of request { $request }.

## Fragments for sentences and tables

count = { $count }
rows = { $rows ->
        [one] { $rows } row
       *[other] { $rows } rows
    }
rows-with-errors = { $rows ->
        [one] { $rows } row that is not ready
       *[other] { $rows } rows that are not ready
    }
rows-ready = { $rows ->
        [0] None
        [one] { $rows } row
       *[other] { $rows } rows
    }{ $accounts ->
        [0] { "" }
        [one] { " " }for { $accounts } account
       *[other] { " " }for { $accounts } accounts
    }
rows-from-to = { NUMBER($first, useGrouping: 0) } to { NUMBER($last, useGrouping: 0) } in the file
phones-in-batches = { $phones ->
        [one] { $phones } phone
       *[other] { $phones } phones
    } in { $batches ->
        [one] { $batches } batch
       *[other] { $batches } batches
    }
notices-more = And { $count } more.
page-of = { $first } to { $last } of { $total }
column-row = Row
column-issue = Issue and fix
column-phone = Account and phone
column-status = Status
column-region = Region
severity-error = Error
severity-warning = Warning
severity-note = Note
region-NOAM = NOAM: North and South America
region-EMEA = EMEA: Europe, Middle East, Africa
region-APAC = APAC: Asia and Pacific
device-phone = Alcatel-Lucent Enterprise, AudioCodes, Poly, Yealink, and other phones
device-cisco-phone = Cisco phones
device-audiocodes-ata = AudioCodes ATAs
device-cisco-ata = Cisco ATAs
device-poly-ata = Poly ATAs

## Fact labels

fact-ready = Ready
fact-not-ready = Not ready
fact-warnings = With warnings
fact-notes = With notes
fact-no-region = Without a region
fact-requester = Requested by
fact-reason = Reason
fact-file = File
fact-requested-at = Requested
fact-expires-at = Expires
fact-digest = Fingerprint
fact-sent-at = Sent
fact-region = Region
fact-rows = Rows
fact-left-out = Left out
no-reason = No reason given

## Overlap: phones and accounts that another request has, too

overlap-heading = Some of these phones or accounts are in another request, too.
overlap-line = { $known ->
        [0] Another request
       *[other] Request { $request }
    }, { $state ->
        [waiting] waiting for approval since { $when }
        [running] running since { $when }
        [finished] finished on { $when }
       *[cancelled] canceled on { $when }
    }: { $accounts ->
        [0] no account
        [one] { $accounts } account
       *[other] { $accounts } accounts
    } and { $phones ->
        [0] no phone
        [one] { $phones } phone
       *[other] { $phones } phones
    } in common.
overlap-examples = For example: { $names }
overlap-more = And { $requests ->
        [one] one more request.
       *[other] { $requests } more requests.
    }
overlap-explain = The passwords would be reset again. If that is what you want, say why in the reason: the approver reads it. Otherwise, remove the rows and send the file again. Export issues as CSV lists every row.
overlap-wanted = This was found after the file was checked, so nothing was started. The passwords would be reset again. If that is what you want, say why in the reason: the approver reads it. Otherwise, discard or withdraw this request.
overlap-explained = The requester was shown this and gave the reason below. Approving resets these passwords again.
overlap-held-up = Not approved: this was found after the reason below was given. Offhook asked the requester to give a reason for it or to withdraw the request. Until then, it can't be approved.
overlap-row-account = This account is in { $known ->
        [0] another request
       *[other] request { $request }
    }, too: { $state ->
        [waiting] waiting for approval since { $when }
        [running] running since { $when }
        [finished] finished on { $when }
       *[cancelled] canceled on { $when }
    }.
    .fix = Remove the row if the account is to be signed in only once.
overlap-row-phone = This phone is in { $known ->
        [0] another request
       *[other] request { $request }
    }, too: { $state ->
        [waiting] waiting for approval since { $when }
        [running] running since { $when }
        [finished] finished on { $when }
       *[cancelled] canceled on { $when }
    }.
    .fix = Remove the row if the phone is to be signed in only once.

## Request status, for cards whose original purpose has passed

status-draft = Approval has not been requested yet.
status-waiting = The sign-in of { $ready ->
        [one] { $ready } phone
       *[other] { $ready } phones
    } is waiting for approval.
status-running = Approved. The sign-in of { $total ->
        [one] { $total } phone
       *[other] { $total } phones
    } is running.
status-cancelling = Canceling. Phones already sent will run to completion.
status-finished = { $signed_in } of { $total ->
        [one] { $total } phone
       *[other] { $total } phones
    } signed in.
status-cancelled = Canceled. { $signed_in } of { $total ->
        [one] { $total } phone
       *[other] { $total } phones
    } signed in.
status-rejected = Rejected. Nothing was changed.
status-expired = Expired without a decision. Nothing was changed.
status-withdrawn = Withdrawn. Nothing was changed.
timeline-heading = History
timeline-requested = { $person } requested approval on { $when }.
timeline-reason = Reason: "{ $reason }"
timeline-ticket = Ticket: { $ticket }
timeline-approved = { $person } approved on { $when }.
timeline-rejected = { $person } rejected on { $when }.
timeline-comment = Comment: "{ $comment }"
timeline-cancelled = { $person } canceled on { $when }.
timeline-cancelling = { $person } canceled on { $when }. Phones already sent run to completion, because the SIP Gateway can't stop them.
timeline-expires = Expires on { $when }.
timeline-expired = Expired on { $when }.
timeline-withdrawn = { $person } withdrew the request on { $when }.
timeline-finished = Ended on { $when }.

## Validation

validation-headline = { $ready ->
        [0] { $total ->
            [one] The only row in this file is not ready.
           *[other] None of the { $total } rows are ready.
        }
       *[other] { $not_ready ->
            [0] { $total ->
                [one] The only row in this file is ready.
               *[other] All { $total } rows are ready.
            }
           *[other] { $ready } of { $total } rows are ready.
        }
    }
validation-file-only = Ready means only that the row is written correctly. The accounts and the phones have not been checked.
validation-left-out = { $rows ->
        [one] { $rows } row is not ready and will not be sent.
       *[other] { $rows } rows are not ready and will not be sent.
    }
validation-next-step = Next step
validation-next-step-how = Fix the rows in your file, save it, and send it here again.
validation-again = To request approval again, send the file again.
issues-heading = Issues
request-approval-heading = Request approval
request-approval-effect = Once approved, the sign-in resets the { $accounts ->
        [0] passwords of the accounts that you include below. Anyone using them is locked out.
        [one] password of { $accounts } account. Anyone using it is locked out.
       *[other] passwords of { $accounts } accounts. Anyone using them is locked out.
    } This can't be undone.
label-region = Region for { $rows ->
        [one] the row
       *[other] the { $rows } rows
    } without one
placeholder-region = Select a region
error-region = Select the region where the phones were provisioned.
label-reason-overlap = Reason, and why these phones or accounts are signed in again
label-reason = Reason, for the approver
placeholder-reason = For example: new lobby phones in Berlin
error-reason = Enter a reason. The approver will see it.
label-ticket = Ticket, if there is one
placeholder-ticket = For example: CHG0042
label-ticket-required = Ticket, which your organization's policy asks for
placeholder-ticket-required = { $example ->
        [0] It has to match { $ticket }
       *[other] For example: { $ticket }
    }
error-ticket = { $example ->
        [0] Enter a ticket that matches { $ticket }.
       *[other] Enter a ticket such as { $ticket }.
    }
label-leave-out = Rows that are not ready
toggle-leave-out = { $rows ->
        [one] Leave out the row that is not ready
       *[other] Leave out the { $rows } rows that are not ready
    }
button-options = Batch size
label-batch-size = Phones per batch, at most
batch-size-how = The SIP Gateway takes up to { $limit } phones per batch. With accounts from an on-premises Active Directory, smaller batches are slower but less likely to stall or fail.
error-batch-size = Enter a number from 1 to { $limit }.
error-leave-out = Select the check box to continue with the ready rows only, or fix the file and send it again.

## Approval

approval-headline = Resets { $accounts ->
        [one] { $accounts } password
       *[other] { $accounts } passwords
    }{ $guarded ->
        [0] {""}
        [one] ; 1 account looks like a person's
       *[other] ; { $guarded } accounts look like people's
    }
approval-blast-radius = Signs in { $phones ->
        [one] { $phones } phone
       *[other] { $phones } phones
    }. Anyone using { $accounts ->
        [one] the account
       *[other] the accounts
    } is locked out. This can't be undone.
approval-not-shown = A request is waiting for approval
approval-not-yours = Only its requester, approvers, and auditors can see it.
approval-waits-for-others = This is your request: an approver other than you decides. Until then, you can withdraw it.
approval-read-only = Only approvers can approve or reject this. Send whoami to see what you can do.
approval-changed = Nothing was approved. Since the card that you clicked was made:
approval-changed-checks = The checks of the accounts came to another result.
approval-changed-overlap = What is in other requests, too, has changed.
approval-changed-reason = The requester gave another reason or ticket.
approval-changed-windows = More phones are too late by now.
approval-changed-how = This is the card as it is now. Read it again, then decide.
unusual-heading = Unusual about this request
unusual-nothing = ✓ Nothing unusual: { $checked ->
        [0] the accounts were not checked, but no password
       *[other] no account looks like a person's or failed its check, no password
    } was reset in the last { $days } days, and no other request has these phones.
unusual-reset = { $accounts ->
        [one] 1 password was
       *[other] { $accounts } passwords were
    } reset by Offhook in the last { $days } days, most recently on { $when } ({ $names }{ $more ->
        [0] {""}
        [one] {" "}and 1 more
       *[other] {" "}and { $more } more
    }).
unusual-changed = { $named ->
        [0] Not the same as an earlier request,
       *[other] Not the same as request { $request },
    } approved on { $when }: { $added ->
        [one] 1 account
       *[other] { $added } accounts
    } added, { $gone } gone, { $changed } on other phones.
unusual-changed-examples = Added or changed, for example: { $names }
unusual-first-request = { $person } never requested an approval here before.
unusual-large = { $phones ->
        [one] { $phones } phone
       *[other] { $phones } phones
    }, where this requester usually asks for about { $usual }.
mark-guarded = looks like a person's
mark-failed = failed its check
mark-window = too early or too late
mark-overlap = in another request, too
mark-added = not in the earlier request
fact-requester-upn = UPN
fact-requester-id = Object ID
fact-ticket = Ticket
fact-expected = Expected length
expected-minutes = { $minutes ->
        [0] Not known: nothing was signed in here yet
        [one] About 1 minute once started
       *[other] About { $minutes } minutes once started
    }
expected-hours = About { $hours } hours once started
fact-checked-at = Checked
approval-file-only = Only the file was checked, not the accounts or the phones.
approval-starts = The sign-in starts once you approve{ $checked ->
        [0] .
       *[other] ; accounts that were not checked recently are checked again first.
    }
approval-permissions = The sign-in starts once you approve and runs with your permissions{ $checked ->
        [0] .
       *[other] ; accounts that were not checked recently are checked again first.
    } You need a role that can reset passwords.
approval-shared-accounts = On several phones: { $names }.
approval-sample = First { $shown } of { $total } phones
approval-phones = { $total ->
        [one] The phone
       *[other] All { $total } phones
    }
approval-phones-filtered = { $total ->
        [0] None
       *[other] { $total }
    } of { $all } phones
label-filter = Which phones
filter-all = All
filter-unusual = Unusual ones
label-prefix = Account begins with
button-filter = Filter
filter-only-you = Only you see the pages that you turn to. Approvers' looks are in the audit.
approval-four-eyes = Someone other than { $person } must decide.
approval-no-four-eyes = Self-approval is on: { $person } can approve their own request.
approval-approved = { $person } approved the sign-in of { $phones ->
        [one] { $phones } phone.
       *[other] { $phones } phones.
    }
approval-rejected = { $person } rejected this request. Nothing was changed.
label-comment = Comment, for the requester
placeholder-comment = If you reject, say why
label-acknowledge = Before you approve
toggle-acknowledge = I understand that this resets the { $accounts ->
        [one] password of { $accounts } account
       *[other] passwords of { $accounts } accounts
    } and can't be undone
error-acknowledge = Select the check box to approve.
label-acknowledge-typed = Before you approve, type how many passwords this resets (first line of the card)
error-acknowledge-typed = Type the number of passwords to approve.

## Progress

progress-headline = { $ended } of { $total ->
        [one] { $total } phone is
       *[other] { $total } phones are
    } done.
progress-cancelling = Canceling. { $ended } of { $total ->
        [one] { $total } phone is
       *[other] { $total } phones are
    } done.
progress-updates = This card updates itself. You can close the chat.
progress-elsewhere = Follow the sign-in on the progress card further down.
current-state = To see the current state, send status { $request } to Offhook.
in-progress-heading = In progress
region-progress = { $region }: { $ended } of { $total } done, { $failed } failed
batch-counts = { $batches ->
        [one] { $batches } batch
       *[other] { $batches } batches
    }: { $running } running, { $waiting } waiting, { $over } ended{ $unclear ->
        [0] .
       *[other] , { $unclear } with an unknown outcome.
    }
phones-heading = Phone by phone
phones-none = None.
failures-heading = What went wrong
note-refused-heading = The SIP Gateway is refusing requests.
note-refused = The SIP Gateway says: "{ $message }" Nothing is lost. Offhook asks again every few minutes. If this lasts, ask an approver to send checks.
wait-slots = Waiting: the three slots of { $region } are taken by { $holders }.
wait-request = request { $request }
wait-others = { $requests ->
        [one] another request
       *[other] { $requests } other requests
    }
wait-signed-out = Nobody is signed in for { $holders }. Someone who can approve { $requests ->
        [one] it
       *[other] them
    } has to select Sign in to continue on its progress card.
wait-question = An approver has to answer a card about { $holders }.
wait-how = Sending starts when one of their batches ends.
note-unreachable = The SIP Gateway has not responded since { $since }. Phones already sent are still being processed; Offhook keeps checking.
note-reconciliation = Offhook can't tell whether { $batches ->
        [one] { $batches } batch
       *[other] { $batches } batches
    } ran. An approver has to answer on a separate card.
note-unreadable = Offhook has tried for a day to read how { $batches ->
        [one] { $batches } batch stands
       *[other] { $batches } batches stand
    }. An approver has to say on a separate card whether to go on.
note-stalled = { $batches ->
        [one] { $batches } batch has
       *[other] { $batches } batches have
    } stalled.
note-stalled-batch = { $region }, batch { $batch }: { $phones ->
        [one] { $phones } phone
       *[other] { $phones } phones
    } unfinished, no progress since { $since }.
note-stalled-reason = Often, an on-premises Active Directory slows down password resets. You don't have to do anything: Offhook keeps checking. After a day without progress, the phones end without a result.
cancel-pending = { $pending ->
        [0] Every phone has already been sent, so there is nothing left to stop.
        [one] { $pending } phone has not been sent yet. It will stay as it is.
       *[other] { $pending } phones have not been sent yet. They will stay as they are.
    }
cancel-unsettled = It is not certain yet that every phone was sent. Those that turn out not to have been sent will stay as they are.
cancel-in-progress = { $phones ->
        [0] No phones are in progress.
        [one] { $phones } phone has been sent or may have been sent. If it was, the SIP Gateway can't stop it.
       *[other] { $phones } phones have been sent or may have been sent. The SIP Gateway can't stop those that were.
    }

## Results

results-headline = { $signed_in ->
        [0] { $unconfirmed ->
            [0] { $total ->
                [one] The phone is not signed in.
               *[other] None of the { $total } phones are signed in.
            }
           *[other] { $total ->
                [one] The phone is not confirmed as signed in.
               *[other] No phone is confirmed as signed in.
            }
        }
       *[other] { $left ->
            [0] { $total ->
                [one] The phone is signed in.
               *[other] All { $total } phones are signed in.
            }
           *[other] { $signed_in } of { $total } phones are signed in.
        }
    }
results-cancelled = Canceled. { $signed_in } of { $total ->
        [one] { $total } phone
       *[other] { $total } phones
    } signed in.
results-not-signed-in = { $left ->
        [one] { $left } phone is not signed in. See the reason and the fix below.
       *[other] { $left } phones are not signed in. See the reasons and fixes below.
    }
results-not-confirmed = { $left ->
        [one] { $left } phone is not confirmed as signed in. See the reason and the fix below.
       *[other] { $left } phones are not confirmed as signed in. See the reasons and fixes below.
    }
results-final = These numbers are final.
results-final-so-far = Nothing more is sent. Before a retry, Offhook asks the SIP Gateway once more about phones without a result.
results-not-yet = The sign-in is still running. These numbers are not final.
next-heading = What to do next
next-fix = { $phones ->
        [one] { $phones } phone needs
       *[other] { $phones } phones need
    } a fix first, as described above. Without it, a retry will fail too.
next-smaller = Wait an hour before you retry the phones that Active Directory slowed down. The retry proposes batches of { $size ->
        [one] { $size } phone.
       *[other] { $size } phones.
    }
next-unconfirmed = { $phones ->
        [one] { $phones } phone has no result and may be signed in. Retry first asks the SIP Gateway about it once more. Check the phone if there is no answer.
       *[other] { $phones } phones have no result and may be signed in. Retry first asks the SIP Gateway about them once more. Check those for which there is no answer.
    }
next-retry = Retry creates a new request for the { $phones ->
        [one] phone that is
       *[other] { $phones } phones that are
    } not { $unconfirmed ->
        [0] signed in
       *[other] confirmed as signed in
    }. It needs its own approval and resets the { $phones ->
        [one] password of its account.
       *[other] passwords of their accounts.
    }

## Causes

cause-group = { $count ->
        [one] { $count } phone
       *[other] { $count } phones
    }: { $cause }
cause-gateway-message = The SIP Gateway says: "{ $message }"
cause-address = { $count ->
        [one] The SIP Gateway saw the IP address { $address }.
       *[other] For one of them, the SIP Gateway saw the IP address { $address }. The export has the others.
    }
cause-examples = { $names } and { $rest } more
causes-more = { $phones ->
        [one] { $phones } more phone has
       *[other] { $phones } more phones have
    } other causes. See the export.
provisioning-heading = Provisioning URLs
provisioning-reason = Some of these failures may come from the phone's provisioning URL. Use exactly the URL for the phone's make and region:
provisioning-more = { $urls ->
        [one] There is { $urls } more. Send urls to see it.
       *[other] There are { $urls } more. Send urls to see them.
    }
url-for = { $devices } in { $region }
url-alternative = Microsoft documents the URL above. This one is also in use:

## Reconciliation: asking an approver whether a batch ran

reconciliation-headline = Did this batch of { $phones ->
        [one] { $phones } phone
       *[other] { $phones } phones
    } in { $region } run?
reconciliation-reason = Offhook sent this batch and got no response, and the SIP Gateway's list of batches doesn't show whether it ran. Sending it again could reset the passwords twice, so an approver has to decide.
reconciliation-reason-cancelling = Offhook sent this batch and got no response, and the SIP Gateway's list of batches doesn't show whether it ran. An approver has to decide before the cancellation can be completed.
reconciliation-unreadable = The list of batches could not be checked completely. The reason: { $error }
reconciliation-how-heading = How to find out
reconciliation-how-phones = Check some of these phones: { $names }. If one was signed in at this time, the batch ran. If none was, that proves nothing.
reconciliation-how = List the tenant's batches in PowerShell and look for one with this time and size:
reconciliation-how-command = Get-CsSdgBulkSignInRequestsSummary
reconciliation-ran = Offhook tracks the batch from here on. Nothing is sent again.
reconciliation-not-run = { $phones ->
        [one] { $phones } phone will be sent again, which resets the password of its account.
       *[other] { $phones } phones will be sent again, which resets the passwords of their accounts.
    } Make sure that the batch did not run.
reconciliation-not-run-cancelling = The request is being canceled, so { $phones ->
        [one] this phone is
       *[other] these { $phones } phones are
    } not sent again. Make sure that the batch did not run.
reconciliation-unreadable-headline = Go on checking this batch of { $phones ->
        [one] { $phones } phone
       *[other] { $phones } phones
    } in { $region }?
reconciliation-unreadable-reason = The SIP Gateway has this batch, but Offhook has tried for a day to read its status, in vain. Nothing is sent again either way. Until this is decided, the batch takes one of the region's three slots.
reconciliation-unreadable-error = The reason: { $error }
reconciliation-unreadable-how = Read its status in PowerShell:
reconciliation-unreadable-command = (Get-CsSdgBulkSignInRequestStatus -Batchid { $batch }).BatchItem
reconciliation-give-up = { $phones ->
        [one] The phone ends without a result if it has none yet. The password of its account may have been reset. A retry asks about it once more.
       *[other] The phones that have no result yet end without one. The passwords of their accounts may have been reset. A retry asks about them once more.
    }
reconciliation-checking = Offhook is checking this batch again.
reconciliation-checking-how = Offhook is reading the SIP Gateway's list of batches again. If that doesn't settle it, this card asks again.
reconciliation-answered = This question is settled. The request { $cancelling ->
        [0] continues.
       *[other] is being canceled.
    }
label-batch-id = Batch ID
placeholder-batch-id = As the summary shows it
error-batch-id = Enter the batch ID.

## Windows: how long ago the phones were provisioned

fact-windows = Since provisioning
fact-deadline = Nearest deadline
windows = { $in_time } in time{ $too_early ->
        [0] {""}
       *[other] , { $too_early } too early
    }{ $nearly_too_late ->
        [0] {""}
       *[other] , { $nearly_too_late } nearly too late
    }{ $too_late ->
        [0] {""}
       *[other] , { $too_late } too late
    }{ $without_time ->
        [0] {""}
       *[other] , { $without_time } without a time
    }, as of { $when }
windows-too-late = { $phones ->
        [one] { $phones } phone is too late: it was
       *[other] { $phones } phones are too late: they were
    } provisioned more than 72 hours ago ({ $names }{ $more ->
        [0] {""}
        [one] {" "}and 1 more
       *[other] {" "}and { $more } more
    }). { $phones ->
        [one] It is sent all the same, and the SIP Gateway will refuse it, unless it was signed out less than 168 hours ago.
       *[other] They are sent all the same, and the SIP Gateway will refuse them, unless they were signed out less than 168 hours ago.
    }
windows-too-late-requester = { $phones ->
    [one] Provision it again first, or take it out of the file.
   *[other] Provision them again first, or take them out of the file.
}
windows-too-late-approver = { $phones ->
    [one] To have it provisioned again first, reject the request.
   *[other] To have them provisioned again first, reject the request.
}
windows-nearly-too-late = { $phones ->
        [one] { $phones } phone is nearly too late: it was
       *[other] { $phones } phones are nearly too late: they were
    } provisioned more than 70 hours ago ({ $names }{ $more ->
        [0] {""}
        [one] {" "}and 1 more
       *[other] {" "}and { $more } more
    }).
windows-too-early = { $phones ->
        [one] { $phones } phone is too early: it was
       *[other] { $phones } phones are too early: they were
    } provisioned less than an hour ago, or the time is in the future. Wait until an hour has passed ({ $names }{ $more ->
        [0] {""}
        [one] {" "}and 1 more
       *[other] {" "}and { $more } more
    }).
window-row-too-late = The phone was provisioned more than 72 hours ago, so the SIP Gateway will refuse it.
    .fix = Provision the phone again, restart it, and wait an hour.
window-row-nearly-too-late = The phone was provisioned more than 70 hours ago.
    .fix = Have it signed in before { $deadline }, or provision it again.
window-row-too-early = The phone was provisioned less than an hour ago, or the time is in the future.
    .fix = Wait until an hour has passed since then.

## Buttons

button-request-approval = Request approval
button-explain = Give this reason
button-discard = Discard
button-withdraw = Withdraw
button-export-issues = Export issues as CSV
button-export = Export as CSV
button-export-phones = Export list as CSV
button-approve = Approve…
button-approve-now = { $accounts ->
        [one] Approve and reset { $accounts } password
       *[other] Approve and reset { $accounts } passwords
    }
button-approve-vote = Give my approval
button-approve-start = Approve this start
button-reject = Reject
button-cancel = Cancel request…
button-cancel-now = { $pending ->
        [0] Cancel what was not sent
        [one] Cancel the phone not sent yet
       *[other] Cancel the { $pending } phones not sent yet
    }
button-retry = Retry the { $phones ->
        [one] phone
       *[other] { $phones } phones
    } not { $unconfirmed ->
        [0] signed in
       *[other] confirmed
    }
button-phones = Show phones
button-failed = Show failures
button-issues = Show issues
button-hide = Back to overview
button-previous = Previous
button-next = Next
button-refresh = Refresh
button-check = Check again
button-keep-checking = Keep checking
button-give-up = Stop checking…
button-give-up-now = Stop checking: end it without results
button-ran = It ran…
button-ran-now = It ran: track it
button-not-run = It did not run…
button-not-run-now = It did not run: send it
button-not-run-now-cancelling = It did not run: leave it out

## Static cards: welcome, help, lists, and files that can't be read

welcome-headline = Offhook signs in your Teams SIP phones in bulk.
welcome-how = Drop a CSV or Excel file here with one row per phone: the account and the phone's MAC address. Or paste the rows as a message.
welcome-then = I check every row and tell you what is wrong before anything happens. Someone else approves. Then I run the sign-in and show you the progress of each phone.
welcome-warning = A sign-in resets the password of the account. That is how the SIP Gateway works, and it can't be undone.
welcome-next = Send template for lines to copy into a CSV, or help for everything else.
help-headline = What I can do for you
help-file-heading = Sign in phones
help-file = Send a CSV or Excel file in our 1:1 chat, or paste the rows as a message. In a channel or group chat, mention me in that message. The columns are Username and HardwareId, plus Region if you have more than one. Add Provisioned (when the phone was provisioned) to be told which phones are too early or too late.
help-commands-heading = Commands
column-command = Send
column-does = To get
command-help = help
    .does = This list
command-template = template
    .does = Lines to copy into a CSV
command-urls = urls EMEA
    .does = The provisioning URLs of one region. urls alone: all regions
command-status = status
    .does = Your open requests; for approvers and auditors, all. With a request ID, that request's latest card, and that of its mend
command-history = history
    .does = Your latest requests; for approvers and auditors, all. Add what you look for: a phone's hardware ID, an account, by and a name, since or until and a date, last 7 days
command-cancel = cancel K7QF2M9X
    .does = Stops the phones of a request that have not been sent yet
command-retry = retry K7QF2M9X
    .does = A new request for the phones that are not signed in
command-checks = checks
    .does = For approvers: whether everything a sign-in needs is in place
command-whoami = whoami
    .does = Who you are to Offhook, and your role
help-timing-heading = Timing
help-timing-provision = The best time to sign in a phone is 1 to 70 hours after provisioning. After 72 hours, it must be provisioned again. After a sign-out, you have 168 hours.
help-timing-offline = A phone that does not connect for 30 days while signed in, or 14 days while signed out, is dropped by the SIP Gateway. It then needs a factory reset and provisioning again.
help-timing-ip = Trusted IP addresses and policies take up to 24 hours to take effect.
urls-headline = Provisioning URLs
urls-how = Set the URL on the phone, or distribute it with DHCP: option 66 for Alcatel-Lucent Enterprise and Yealink, option 160 for AudioCodes, Cisco, and Poly. For other vendors, see their guide. The URLs start with http on purpose.
template-headline = Lines to copy into a CSV
template-how = Copy these lines into a file that ends in .csv, enter your own phones, and send it to me.
template-region = Leave Region out if all phones are in one region. I will ask for it.
history-headline = Latest requests
history-none = There are no requests yet. Send me a file to create one.
history-found-headline = { $total ->
        [0] No request found
        [one] 1 request found
       *[other] { $total } requests found
    }
history-not-found = None of the requests that you may see has this. Check the spelling, or leave something out. A phone can be found as long as its request is kept.
history-phone = Phone
history-account = Account
history-person = Person
history-since = Since
history-until = Until
history-older = These are the newest { $shown } of { $total }. For older ones, send: { $command }
history-how = For example: history 80-5E-C0-12-34-56, history lobby by Megan last 7 days, or history since 2026-11-01 until 2026-11-30.
history-problem-too-long = That is too long for me.
history-problem-not-understood = I don't understand "{ $text }".
history-problem-twice = I can look for one phone, one account, one person, and one period; "{ $text }" is one too many. Write by before a person's name.
history-problem-not-a-phone = "{ $text }" is not the hardware ID of a phone.
history-problem-not-a-time = I can't read "{ $text }" as a time. Write dates like 2026-11-01, in UTC.
history-problem-no-time-left = The period would end before it begins, at { $text }.
status-list-headline = Open requests
status-list-none = There are no open requests.
list-more = To see a request, send status and its ID.
column-request = Request
line-by = { $person }, { $when }
line-signed-in = { $signed_in } of { $total } signed in
line-phones = { $total ->
        [one] { $total } phone
       *[other] { $total } phones
    }
line-decided = Decided by { $person }
line-decided-at = Decided by { $person }, { $when }
line-sent = { $status }, sent { $when }
line-more-phones = and { $count ->
        [one] 1 more phone
       *[other] { $count } more phones
    } like this
whoami-headline = You are { $person }.
whoami-upn = Account
whoami-id = Object ID
whoami-role-label = Role
whoami-tenant = Tenant ID
whoami-role = { $request ->
        [0] { $approve ->
            [0] { $audit ->
                [0] None: you can't request or approve sign-ins
               *[other] Auditor: you can see other people's requests, and change nothing
            }
           *[other] Approver: you can approve sign-ins
        }
       *[other] { $approve ->
            [0] Requester: you can request sign-ins
           *[other] Requester and approver: you can request and approve sign-ins
        }
    }
whoami-no-profile = Microsoft Graph has no profile for you, or is unavailable right now.
unreadable-headline = I can't use { $file }.
file-link-headline = { $file } is ready.
file-link-how = The link expires soon.
button-download = Download
