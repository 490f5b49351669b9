# Mending: changing what the checks found wrong with accounts. Its card, messages and answers.

mend-gone = I can't find this mend. It may have been deleted with its request.
mend-off = Mending is turned off here: it needs account checks (OFFHOOK_PREFLIGHT). Get script on the request's card returns the cmdlets instead.
mend-turned-off = Mending was turned off since this was prepared. Nothing was changed. Ask whoever runs Offhook to turn it on again (OFFHOOK_PREFLIGHT), or end the mend.
mend-nothing = The checks found nothing that can be mended.
mend-too-many = At most { $limit } changes can be made at once. Split the file.
mend-not-nameable = { $account } is not among the accounts that you can name here. Choose from the list on the card.
mend-name-some = Nothing was chosen. Choose the accounts to mend on the card.
mend-confirm-unknown = Confirm first that the accounts named at the top belong to phones.
mend-want-reason = Enter a reason. The approver will see it.
mend-conflict = Another mend is about { $account }, too: see request { $request }. Wait until it has ended, or undo it first if it came later.
mend-acknowledge = Confirm first that the policies of these accounts may change.
mend-undo-acknowledge = Confirm first that the changes are to be undone.
mend-changed = The changes are not those that approval was requested for, so nothing was changed. Ask the requester to discard this mend and start again.
mend-sign-in-why = Sign in so that the accounts are changed with your permissions. You need the Entra role Teams Administrator or Teams Communications Administrator. Offhook forgets your permissions when this is done.

## On the card of a draft

mend-offer = { $accounts ->
    [0] {""}
    [one] Offhook can mend 1 account: it can grant { $ip_phone ->
        [0] {""}
       *[other] an IP phone policy{" "}
    }{ $calling ->
        [0] {""}
       *[other] { $ip_phone ->
            [0] a calling policy{" "}
           *[other] and a calling policy{" "}
        }
    }that SIP phones need.
   *[other] Offhook can mend { $accounts } accounts: it can grant the policies that SIP phones need (IP phone policy: { $ip_phone }, calling policy: { $calling }).
}{ $switch ->
    [0] {""}
   *[other] { $accounts ->
        [0] Offhook can turn on bulk sign-in for this tenant.
       *[other] {" "}It can also turn on bulk sign-in for this tenant.
    }
} An approver has to approve it.
mend-offer-nameable = { $more ->
    [0] { $accounts ->
        [one] 1 account could be mended, but Offhook can't tell whether it is a person's or an administrator's.
       *[other] { $accounts } accounts could be mended, but Offhook can't tell whether they are people's or administrators'.
    }
   *[other] { $accounts ->
        [one] 1 more account is left out: Offhook can't tell whether it is a person's or an administrator's.
       *[other] { $accounts } more accounts are left out: Offhook can't tell whether they are people's or administrators'.
    }
} You can include accounts by name on the next card.
button-mend-nameable = Mend accounts by name…
button-mend = { $accounts ->
    [0] Turn on bulk sign-in…
    [one] Mend 1 account…
   *[other] Mend { $accounts } accounts…
}
mend-under-way-draft = A mend of these accounts is prepared. Its card asks for a reason.
mend-under-way-waiting = A mend of these accounts is waiting for an approver. When it is done, the accounts are checked again.
mend-under-way-running = These accounts are being mended. When that is done, they are checked again.
mend-under-way-undoing = The mend of these accounts is being undone.

## The mend's card

mend-state-draft = Draft
mend-state-waiting = Waiting for approval
mend-state-running = Mending
mend-state-finished = Ended
mend-state-undoing = Being undone
mend-state-undone = Undo ended
mend-state-rejected = Rejected
mend-state-expired = Expired
mend-state-withdrawn = Withdrawn
mend-headline-draft = { $accounts ->
    [0] Turn on bulk sign-in for this tenant?
    [one] Mend 1 account?
   *[other] Mend { $accounts } accounts?
}
mend-headline-draft-nameable = { $accounts ->
    [one] Mend 1 account that may not be a phone's?
   *[other] Mend accounts that may not be phones'?
}
mend-headline-waiting = { $accounts ->
    [0] Turning on bulk sign-in is waiting for approval.
    [one] Mending 1 account is waiting for approval.
   *[other] Mending { $accounts } accounts is waiting for approval.
}
mend-headline-approval = { $accounts ->
    [0] Turns on bulk sign-in for the whole tenant
    [one] Changes policies of 1 account{ $switch ->
        [0] {""}
       *[other] {" "}and turns on bulk sign-in for the whole tenant
    }
   *[other] Changes policies of { $accounts } accounts{ $switch ->
        [0] {""}
       *[other] {" "}and turns on bulk sign-in for the whole tenant
    }
}{ $unknown ->
    [0] {""}
    [one] ; 1 account may be a person's or an administrator's
   *[other] ; { $unknown } accounts may be people's or administrators'
}
mend-headline-running = { $accounts ->
    [0] Bulk sign-in is being turned on.
    [one] 1 account is being mended.
   *[other] { $accounts } accounts are being mended.
}
mend-headline-finished = { $accounts ->
    [0] Turning on bulk sign-in has ended.
    [one] Mending 1 account has ended.
   *[other] Mending { $accounts } accounts has ended.
}
mend-headline-undoing = { $accounts ->
    [0] Bulk sign-in is being set back.
    [one] The changes to 1 account are being undone.
   *[other] The changes to { $accounts } accounts are being undone.
}
mend-headline-undone = { $accounts ->
    [0] Setting back bulk sign-in has ended.
    [one] Undoing the changes to 1 account has ended.
   *[other] Undoing the changes to { $accounts } accounts has ended.
}
mend-headline-rejected = The mend was rejected. Nothing was changed.
mend-headline-expired = Nobody decided about the mend in time. Nothing was changed.
mend-headline-withdrawn = The mend was withdrawn. Nothing was changed.
mend-never = Only policies and the switch for bulk sign-in are changed. Numbers, licenses, MFA and Conditional Access never are.
mend-unknown = { $accounts ->
    [one] Offhook can't tell whether this account is a person's or an administrator's. The requester included it by name:
   *[other] Offhook can't tell whether these { $accounts } accounts are people's or administrators'. The requester included them by name:
}
label-include-unknown = { $accounts ->
    [one] Left out, since Offhook can't tell whether it is a person's or an administrator's. Include it only if you know that it is a phone's:
   *[other] Left out, since Offhook can't tell whether they are people's or administrators'. Include only those that you know to be phones':
}
include-unknown-more = { $more } more are not listed. At most { $limit } can be included at once. “Not checked” on the request's card says what would let Offhook tell.
label-confirm-unknown = Accounts that may not be phones'
toggle-confirm-unknown = { $accounts ->
    [one] I confirm that the account named at the top belongs to a phone
   *[other] I confirm that all { $accounts } accounts named at the top belong to phones
}
mend-what-ip-phone-policy = { $accounts ->
    [one] 1 account gets the IP phone policy “Offhook SIP phones” (common area sign-in).
   *[other] { $accounts } accounts get the IP phone policy “Offhook SIP phones” (common area sign-in).
}
mend-what-calling-policy = { $accounts ->
    [one] 1 account gets the calling policy “Offhook SIP phones” (SIP devices and call redirection allowed, all else as in the Global policy).
   *[other] { $accounts } accounts get the calling policy “Offhook SIP phones” (SIP devices and call redirection allowed, all else as in the Global policy).
}
mend-what-create = Policies of that name are created if the tenant has none.
mend-what-bulk-sign-in = Bulk sign-in is turned on for the whole tenant.
mend-access-wanted = Offhook can't go on: no approver's permissions are available. What is changed stays; an approver can continue with their own permissions.
mend-denied = Teams refused the permissions: “{ $message }” Often, a role activation has expired.
mend-permissions = The accounts are changed with your permissions: you need the Entra role Teams Administrator or Teams Communications Administrator.
mend-as-app = The accounts are changed with Offhook's own permissions.
mend-request-ended = The sign-in request was withdrawn or has ended, so this mend can't go on.
mend-changes = { $total ->
    [one] 1 change
   *[other] { $total } changes
}
mend-tenant = The tenant
mend-change-ip-phone-policy = { $subject }: IP phone policy { $before } → { $after }
mend-change-calling-policy = { $subject }: calling policy { $before } → { $after }
mend-change-create-ip-phone = { $subject }: new IP phone policy { $after }
mend-change-create-calling = { $subject }: new calling policy { $after }
mend-change-bulk-sign-in = { $subject }: bulk sign-in { $before } → { $after }
mend-change-state-planned = (not begun)
mend-change-state-intent = (being changed)
mend-change-state-applied = (changed, not visible in Teams yet)
mend-change-state-shown = (changed and confirmed)
mend-change-state-unshown = (may have been changed)
mend-change-state-kept = (already right)
mend-change-state-failed = (not changed)
mend-change-state-undoing = (to be set back)
mend-change-state-restored = (set back, waiting until it shows)
mend-change-state-undone = (set back)
mend-change-state-left = (left as it is)
mend-change-state-undo_failed = (not set back)
mend-error-refused = Teams refused it: “{ $detail }” Change this account in the Teams admin center.
mend-error-policy-differs = The tenant has a policy “Offhook SIP phones” that says something else ({ $detail }). Correct its settings, or delete it, then start a new mend. Nothing was changed.
mend-error-no-policy = The policy could not be created, so it was not granted. The line that begins with “The tenant” says why. Then start a new mend.
mend-error-changed-since = It has another policy now ({ $detail }) than when it was checked. Start a new mend if that is to be replaced.
mend-error-changed-meanwhile = Somebody else gave it { $detail } meanwhile, so it was not overwritten. Start a new mend if that is to be replaced.
mend-error-changed-after = Somebody changed it since ({ $detail }), so it stays.
mend-error-not-shown = It may have been written, but does not show. Look at the account in the Teams admin center; grant the policy there if it is missing.
mend-error-too-late = It was not done within 24 hours. Start a new mend.
fact-mend-approved = Approved
fact-mend-rejected = Rejected
fact-mend-comment = Comment
fact-mend-undone = Undo approved
fact-mend-progress = Changes to accounts
mend-progress = { $shown } done{ $waiting ->
    [0] {""}
   *[other] , { $waiting } changed but not visible in Teams yet
}{ $open ->
    [0] {""}
   *[other] , { $open } to do
}{ $failed ->
    [0] {""}
   *[other] , { $failed } with a problem
}
mend-undo-progress = { $undone } set back{ $waiting ->
    [0] {""}
   *[other] , { $waiting } set back and waiting until they show
}{ $open ->
    [0] {""}
   *[other] , { $open } to do
}{ $left ->
    [0] {""}
   *[other] , { $left } left, since somebody changed them later
}{ $failed ->
    [0] {""}
   *[other] , { $failed } not set back
}
placeholder-mend-reason = For example: new lobby phones in Berlin, CHG0042
toggle-mend = { $accounts ->
    [0] I understand that this turns on bulk sign-in for the whole tenant
    [one] I understand that this replaces policies of 1 account
   *[other] I understand that this replaces policies of { $accounts } accounts
}
button-mend-now = { $accounts ->
    [0] Approve and turn on
    [one] Approve and change 1 account
   *[other] Approve and change { $accounts } accounts
}
button-mend-sign-in = Continue with my permissions
button-mend-undo = Undo…
button-mend-undo-now = Undo now
mend-undo-how = Each account gets back what was assigned to it before. What somebody changed since is left. Policies that Offhook created stay: a policy that nobody has changes nothing.
label-switch-off = Bulk sign-in was off before. Turning it off affects every sign-in request of the tenant.
toggle-switch-off = Also turn off bulk sign-in again
label-mend-undo = Before you undo
toggle-mend-undo = I understand that these accounts can then no longer be signed in on SIP phones

## Messages

mend-told-rejected = { $approver } rejected mending the accounts of request { $request }. Nothing was changed.
mend-told-rejected-with-comment = { $approver } rejected mending the accounts of request { $request }: “{ $comment }”. Nothing was changed.
mend-told-expired = Nobody decided in time about mending the accounts of request { $request }. Nothing was changed. To start again, send status { $request }.
mend-told-finished = Mending for request { $request } has ended{ $accounts ->
    [0] {""}
   *[other] : { $troubled ->
        [0] all changes to { $accounts ->
            [one] 1 account
           *[other] { $accounts } accounts
        } have taken effect
        [one] { $accounts ->
            [one] the account has
           *[other] 1 of { $accounts } accounts has
        } a problem
       *[other] { $troubled } of { $accounts } accounts have a problem
    }
}. { $again ->
    [0] { $draft ->
        [0] The request is no longer a draft, so send the accounts that were left out in a new file.
       *[other] Its card says what happened.
    }
   *[other] The accounts are being checked again.
}
mend-told-rechecked = The accounts of request { $request } were checked again. { $failing ->
    [0] None of the mended accounts is left out any more.
    [one] { $accounts ->
        [one] The mended account
       *[other] 1 of { $accounts } mended accounts
    } still has a problem.
   *[other] { $failing } of { $accounts } mended accounts still have a problem.
} { $ready ->
    [one] 1 row is ready.
   *[other] { $ready } rows are ready.
}
mend-told-undone = Undoing the mend for request { $request } has ended: { $undone } set back{ $left ->
    [0] {""}
   *[other] , { $left } left as somebody changed them
}{ $failed ->
    [0] {""}
   *[other] , { $failed } not set back
}.
