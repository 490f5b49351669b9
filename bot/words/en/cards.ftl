# What stands on the cards. Sentences for text blocks: plain, without Markdown of their own.

somebody = somebody
summary = { $verdict } Request { $request }.
origin = Request { $request }, from { $file }.
origin-retry = It retries request { $request }.

## Parts of sentences and of tables

count = { $count }
rows = { $rows ->
        [one] { $rows } row
       *[other] { $rows } rows
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
rows-from-to = { NUMBER($first, useGrouping: 0) } to { NUMBER($last, useGrouping: 0) } of the file
phones-in-batches = { $phones ->
        [one] { $phones } phone
       *[other] { $phones } phones
    } in { $batches ->
        [one] { $batches } batch
       *[other] { $batches } batches
    }
page-of = { $first } to { $last } of { $total }
column-row = Row
column-issue = What is wrong, and what to do
column-phone = Account and phone
column-status = Status
column-region = Region
severity-error = Fix
severity-warning = Check
severity-note = Note
region-NOAM = NOAM: North and South America
region-EMEA = EMEA: Europe, Middle East, Africa
region-APAC = APAC: Asia and Pacific
device-phone = Alcatel-Lucent Enterprise, AudioCodes, Poly and Yealink phones
device-cisco-phone = Cisco phones
device-audiocodes-ata = AudioCodes ATAs
device-cisco-ata = Cisco ATAs
device-poly-ata = Poly ATAs

## Facts

fact-ready = Ready
fact-not-ready = To fix
fact-warnings = To check
fact-notes = Tidied up
fact-no-region = No region yet
fact-requester = Asked by
fact-reason = Why
fact-file = File
fact-left-out = Left out
fact-asked-at = Asked
fact-expires-at = Expires
fact-digest = Fingerprint
fact-sent-at = Sent
fact-region = Region
fact-rows = Rows
no-reason = No reason given

## Where a request stands, whatever the card was once for

standing-draft = Approval has not been asked for yet.
standing-waiting = The sign-in of { $ready ->
        [one] { $ready } phone
       *[other] { $ready } phones
    } waits for approval.
standing-running = Approved. The sign-in of { $total ->
        [one] { $total } phone
       *[other] { $total } phones
    } is running.
standing-cancelling = Being cancelled. Phones that were sent already are followed to their end.
standing-finished = { $signed_in } of { $total ->
        [one] { $total } phone
       *[other] { $total } phones
    } signed in.
standing-cancelled = Cancelled. { $signed_in } of { $total ->
        [one] { $total } phone
       *[other] { $total } phones
    } signed in.
standing-rejected = Rejected. Nothing was changed.
standing-expired = Expired without a decision. Nothing was changed.
standing-withdrawn = Withdrawn. Nothing was changed.
story-heading = Who did what
story-asked = { $person } asked for approval: { $when }.
story-reason = Reason: "{ $reason }"
story-approved = { $person } approved: { $when }.
story-rejected = { $person } rejected: { $when }.
story-comment = Comment: "{ $comment }"
story-cancelled = { $person } cancelled: { $when }. What had been sent is followed to its end, because the service cannot stop it.
story-expires = It expires: { $when }.
story-expired = It expired: { $when }.
story-withdrawn = { $person } withdrew it: { $when }.
story-finished = It ended: { $when }.

## Validation

validation-verdict = { $ready ->
        [0] { $total ->
            [one] The row of this file is not ready.
           *[other] None of the { $total } rows is ready.
        }
       *[other] { $not_ready ->
            [0] { $total ->
                [one] The row of this file is ready.
               *[other] All { $total } rows are ready.
            }
           *[other] { $ready } of { $total } rows are ready.
        }
    }
validation-left-out = { $rows ->
        [one] { $rows } row needs a fix and will not be sent.
       *[other] { $rows } rows need a fix and will not be sent.
    }
validation-go-on = How to go on
validation-go-on-how = Fix the rows in your file, save it, and send it here again.
validation-again = To ask again, send the file again.
issues-heading = What to look at
ask-heading = Ask for approval
ask-what-happens = Once approved, the sign-in resets the { $accounts ->
        [one] password of { $accounts } account
       *[other] passwords of { $accounts } accounts
    }. Whoever uses them now is locked out. This cannot be undone.
label-region = Region for { $rows ->
        [one] the row
       *[other] the { $rows } rows
    } without one
placeholder-region = Choose a region
error-region = Choose the region in which the phones were provisioned.
label-reason = Reason, for the approver
placeholder-reason = For example: new lobby phones in Berlin, CHG0042
error-reason = Write a reason. The approver will want to know.
label-leave-out = Rows that are not ready
toggle-leave-out = { $rows ->
        [one] Leave the row out that needs a fix
       *[other] Leave the { $rows } rows out that need a fix
    }
error-leave-out = Tick the box to go on with the ready rows only, or fix the file and send it again.

## Approval

approval-verdict = Approve the sign-in of { $phones ->
        [one] { $phones } phone?
       *[other] { $phones } phones?
    }
approval-blast-radius = This resets the { $accounts ->
        [one] password of { $accounts } account
       *[other] passwords of { $accounts } accounts
    }. Whoever uses them now is locked out. This cannot be undone.
approval-sample = { $shown ->
        [one] The first of { $total } phones
       *[other] The first { $shown } of { $total } phones
    }
approval-phones = { $total ->
        [one] The phone
       *[other] All { $total } phones
    }
approval-four-eyes = Somebody other than { $person } has to decide.
approval-no-four-eyes = Four-eyes is off here: { $person } may approve their own request.
approval-approved = { $person } approved the sign-in of { $phones ->
        [one] { $phones } phone.
       *[other] { $phones } phones.
    }
approval-rejected = { $person } rejected this. Nothing was changed.
label-comment = Comment, for the requester
placeholder-comment = If you reject, say why
label-acknowledge = Before you approve
toggle-acknowledge = I understand that this resets the { $accounts ->
        [one] password of { $accounts } account
       *[other] passwords of { $accounts } accounts
    } and cannot be undone
error-acknowledge = Tick the box to approve.

## Progress

progress-verdict = { $ended } of { $total ->
        [one] { $total } phone is
       *[other] { $total } phones are
    } done.
progress-cancelling = Being cancelled. { $ended } of { $total ->
        [one] { $total } phone is
       *[other] { $total } phones are
    } done.
progress-updates = This card keeps itself up to date. You can close the chat.
progress-elsewhere = How the sign-in goes is on a card of its own, further down.
results-elsewhere = The results are on a card of their own, further down.
now-heading = What is happening now
region-progress = { $region }: { $ended } of { $total } done, { $failed } failed
batches-now = { $batches ->
        [one] { $batches } batch
       *[other] { $batches } batches
    }: { $running } with the service, { $waiting } waiting, { $over } ended{ $unclear ->
        [0] .
       *[other] , { $unclear } unclear.
    }
phones-heading = Phone by phone
phones-none = There are none.
failures-heading = What went wrong
note-refused-heading = The service cannot be used just now.
note-refused = It says: "{ $message }" Nothing is lost. It is tried again until it works.
note-unreachable = The service has not answered since { $since }. What was sent runs on there, and we keep asking.
note-questions = { $batches ->
        [one] Of { $batches } batch we do not know if it ran
       *[other] Of { $batches } batches we do not know if they ran
    }. An approver has to say, on a card of its own.
note-stuck = { $batches ->
        [one] { $batches } batch seems
       *[other] { $batches } batches seem
    } stuck.
note-stuck-batch = { $region }, batch { $batch }: { $phones ->
        [one] { $phones } phone
       *[other] { $phones } phones
    } open, nothing new since { $since }.
note-stuck-why = This happens when an on-premises Active Directory slows down password resets. We keep following.
cancel-what = { $pending ->
        [0] Every phone has been sent already, so there is nothing left to stop.
        [one] { $pending } phone has not been sent yet. It will stay as it is.
       *[other] { $pending } phones have not been sent yet. They will stay as they are.
    }
cancel-runs-on = { $phones ->
        [0] No phone is with the service.
        [one] { $phones } phone is with the service already and runs on: the service cannot stop it.
       *[other] { $phones } phones are with the service already and run on: the service cannot stop them.
    }

## Results

results-verdict = { $signed_in ->
        [0] { $total ->
            [one] The phone is not signed in.
           *[other] None of the { $total } phones is signed in.
        }
       *[other] { $left ->
            [0] { $total ->
                [one] The phone is signed in.
               *[other] All { $total } phones are signed in.
            }
           *[other] { $signed_in } of { $total } phones are signed in.
        }
    }
results-cancelled = Cancelled. { $signed_in } of { $total ->
        [one] { $total } phone
       *[other] { $total } phones
    } signed in.
results-left = { $left ->
        [one] { $left } phone is not. The reason and the fix are below.
       *[other] { $left } phones are not. The reasons and fixes are below.
    }
results-final = These numbers are final.
results-not-yet = It is still running. These numbers are not final.
next-heading = What to do next
next-fix = { $phones ->
        [one] { $phones } phone needs
       *[other] { $phones } phones need
    } a fix first, as said above. Without it the retry fails, too.
next-smaller = Wait an hour before you retry what Active Directory slowed down.
next-retry = Retry makes a new request for the { $phones ->
        [one] phone that is
       *[other] { $phones } phones that are
    } not signed in. It needs approval again, and resets the passwords of these accounts.

## Causes

cause-group = { $count ->
        [one] { $count } phone
       *[other] { $count } phones
    }: { $cause }
cause-own-words = The service says: "{ $message }"
cause-address = The service saw the address { $address }.
cause-examples = { $names } and { $rest } more
causes-more = { $phones ->
        [one] { $phones } more phone has
       *[other] { $phones } more phones have
    } other causes. They are in the export.
provisioning-heading = Provisioning URLs
provisioning-why = For some of these failures the phone's provisioning URL is to blame. It has to be exactly this:
provisioning-more = { $urls ->
        [one] There is { $urls } more. Send urls to see it.
       *[other] There are { $urls } more. Send urls to see them.
    }
url-for = { $devices } in { $region }
url-alternative = Microsoft documents the one above. This one is in use as well:

## Question

question-verdict = Did this batch of { $phones ->
        [one] { $phones } phone
       *[other] { $phones } phones
    } in { $region } run?
question-why = We sent it and got no answer, and the service's own list does not tell. Sending it again could reset the passwords twice, so an approver has to say.
question-how-heading = How to find out
question-how = Look at one of the phones: is it signed in? Or list the tenant's batches in PowerShell, and look for one of that time and size:
question-how-command = Get-CsSdgBulkSignInRequestsSummary
question-ran = We follow the batch from there on. It is sent nowhere again.
question-not-run = { $phones ->
        [one] { $phones } phone is
       *[other] { $phones } phones are
    } sent again, which resets their passwords. Be sure that the batch did not run.
question-answered = This has been answered. The request goes on.
question-answered-how = The progress card shows where it stands.
label-batch-id = Batch id
placeholder-batch-id = As the summary shows it
error-batch-id = Enter the batch id.

## Buttons

button-ask = Ask for approval
button-discard = Discard
button-withdraw = Withdraw
button-export-issues = Export issues as CSV
button-export = Export as CSV
button-approve = Approve
button-approve-now = { $accounts ->
        [one] Approve and reset { $accounts } password
       *[other] Approve and reset { $accounts } passwords
    }
button-reject = Reject
button-cancel = Cancel
button-cancel-now = Stop what has not been sent
button-retry = Retry the { $phones ->
        [one] phone
       *[other] { $phones } phones
    } not signed in
button-phones = Show phones
button-failed = Show what failed
button-issues = Show issues
button-hide = Back to the overview
button-previous = Previous
button-next = Next
button-refresh = Refresh
button-check = Check again
button-ran = It ran
button-ran-now = It ran, follow it
button-not-run = It did not run
button-not-run-now = It did not run, send it

## Welcome, help and other cards that stand for themselves

welcome-verdict = Offhook signs in your Teams SIP phones, many at a time.
welcome-how = Drop a CSV or Excel file here with one row for each phone: the account, and the phone's MAC address. Or paste the rows as a message.
welcome-then = I check every row and tell you what is wrong before anything happens. Somebody else approves. Then I run the sign-in and show you how each phone goes.
welcome-warning = A sign-in resets the password of the account. That is how the service works, and it cannot be undone.
welcome-next = Start with template for a file to fill in, or help for everything else.
help-verdict = What you can ask me
help-file-heading = To sign in phones
help-file = Send a CSV or Excel file in our 1:1 chat, or paste the rows as a message. The columns are Username and HardwareId, and Region if you have several.
help-commands-heading = Commands
column-command = Send
column-does = And you get
command-help = help
    .does = This list
command-template = template
    .does = A CSV to fill in
command-urls = urls EMEA
    .does = The provisioning URLs of a region, or of all regions
command-status = status
    .does = What is open. With a request's id, its newest card
command-history = history
    .does = The newest requests
command-cancel = cancel K7QF2M9X
    .does = Stops what a request has not sent yet
command-retry = retry K7QF2M9X
    .does = A new request for the phones that are not signed in
command-checks = checks
    .does = For approvers: if all that a sign-in needs is there
command-whoami = whoami
    .does = Who you are here, and what you may do
help-timing-heading = Good to know
help-timing-provision = The best time is 1 to 70 hours after a phone was provisioned. After 72 hours it has to be provisioned again. After a sign-out you have 168 hours.
help-timing-ip = Trusted IP addresses and policies take up to 24 hours to work.
urls-verdict = Provisioning URLs
urls-how = Set the URL on the phone, or hand it out with DHCP: option 66 for Alcatel-Lucent Enterprise and Yealink, option 160 for AudioCodes, Cisco and Poly. They start with http on purpose.
template-verdict = A CSV to fill in
template-how = Copy these lines to a file that ends in .csv, put in your own phones, and send it to me.
template-region = Leave Region out if all phones are in one region. I will ask.
history-verdict = The newest requests
history-none = There are no requests yet. Send me a file to make one.
status-verdict = What is open
status-none = Nothing is open.
status-more = Send status and a request's id to see it.
column-request = Request
line-by = { $person }, { $when }
line-signed-in = { $signed_in } of { $total } signed in
line-phones = { $total ->
        [one] { $total } phone
       *[other] { $total } phones
    }
line-decided = Decided by { $person }
whoami-verdict = You are { $person }.
whoami-upn = Account
whoami-id = Object id
whoami-roles = You may
whoami-tenant = Tenant id
whoami-may = { $request ->
        [0] { $approve ->
            [0] look, but not ask for sign-ins or approve them
           *[other] approve sign-ins
        }
       *[other] { $approve ->
            [0] ask for sign-ins
           *[other] ask for sign-ins and approve them
        }
    }
whoami-no-profile = The directory says nothing about you, or cannot be asked just now.
unreadable-verdict = I cannot use { $file }.
file-link-verdict = { $file } is ready.
file-link-how = The link works for a short time.
button-download = Download
