# Signing in: a request runs with the rights of whoever approved it, or of whoever signed in for it.

sign-in-why = Sign in, so that the phones are signed in with your rights. Offhook keeps no rights of its own and forgets yours when this request ends.
sign-in-button = Sign in
sign-in-done = You are signed in. Go back to the card and choose the button again.
sign-in-wrong-code = This sign-in was cancelled, or its code was wrong or too old. Nothing was changed. Choose the button again to sign in.
sign-in-no-exchange = Teams could not sign you in by itself. Choose Sign in and agree to what is asked there.
sign-in-unavailable = The sign-in service did not answer, so nothing was changed. Choose the button again in a minute.
sign-in-somebody-else = This sign-in belongs to another account than the one you use in Teams, so nothing was changed. Sign in with the account you use here.
sign-in-roles = { $missing ->
        [teams] Your account lacks the role Teams Administrator
        [passwords] Your account lacks a role that may reset passwords: Authentication Administrator, Privileged Authentication Administrator or Global Administrator
       *[both] Your account lacks two roles: Teams Administrator, and one that may reset passwords (Authentication Administrator, Privileged Authentication Administrator or Global Administrator)
    }. Nothing was sent. Activate or ask for it, wait a minute, and choose the button again. Or ask another approver.
sign-in-consent = Your organisation has not agreed yet that Offhook may use the SIP Gateway for you, so nothing was sent. A Global Administrator has to give consent once, in Entra under Enterprise applications, Permissions.
sign-in-blocked = A rule of your organisation (Conditional Access) does not let you sign in from here, so nothing was sent. Try from a managed device or network, or ask another approver.
sign-in-not-allowed = Your account may not use Offhook: it is disabled, not assigned, or of another organisation. Nothing was sent. Ask the people who run it.
sign-in-bot = Microsoft does not accept Offhook's own credentials just now, so nothing was sent. Tell the people who run it.
sign-in-other = Microsoft refused the sign-in, so nothing was sent. Try again, and if it stays so, tell the people who run Offhook.
sign-in-code = Microsoft's code: { $code }.

progress-sign-in = Waiting for an approver to sign in. { $ended } of { $total ->
        [one] { $total } phone is
       *[other] { $total } phones are
    } done.
note-sign-in-heading = Nobody is signed in for this request since { $since }.
note-sign-in-refused = The service refused the last sign-in: "{ $message }" Often a role has run out.
note-sign-in = What was sent runs on, and nothing is sent twice. It goes on here as soon as somebody who may approve it chooses Sign in.
button-sign-in = Sign in to go on
reconcile-signed-out = Nobody is signed in for this request, so batch { $batch } cannot be looked up. Choose Sign in to go on on its progress card, then try again.
