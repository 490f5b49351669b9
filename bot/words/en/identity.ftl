# Delegation: a request runs with the permissions of the approver who approved it, or of the approver
# who signed in for it later. Only the button says "Sign in".

sign-in-why = Sign in so that the phones are signed in with your permissions. Offhook itself can't sign in phones or reset passwords, and forgets your permissions when this request ends. Until then, it also uses them to read results of other requests for which nobody is signed in.
sign-in-again = Your organization wants a fresh sign-in for this decision (authentication context { $context }). Offhook can't make Teams ask you for another factor, so the window may close without asking. If this comes back, ask your administrator how to satisfy { $context }, for instance by activating your role in Privileged Identity Management. Nothing was changed.
sign-in-button = Sign in
sign-in-done = You are signed in. Go back to the card and select the button again.
sign-in-wrong-code = This sign-in was canceled, or its code was wrong or expired. Nothing was changed. Select the button again to sign in.
sign-in-no-exchange = Teams couldn't sign you in automatically. Select Sign in and accept what it asks for.
sign-in-unavailable = Microsoft's sign-in service did not respond, so nothing was changed. Select the button again in a minute.
sign-in-somebody-else = You signed in with a different account than the one you use in Teams, so nothing was changed. Sign in with the account you use here.
sign-in-roles = { $missing ->
        [passwords] Your account is missing a role that can reset passwords: Authentication Administrator, Privileged Authentication Administrator, or Global Administrator
       *[both] Your account is missing a role that can reset passwords: Authentication Administrator, Privileged Authentication Administrator, or Global Administrator. It may also need Teams Administrator, unless it is a Global Administrator
    }. Nothing was sent. Activate or request what is missing, wait a minute, and select the button again. Or ask another approver.
sign-in-step-up = Your sign-in does not satisfy authentication context { $context }, which your organization demands for this decision. Nothing was changed. Satisfy it first, for instance by activating your role in Privileged Identity Management, and select the button again within a few minutes. Or ask another approver. If it keeps happening, tell your Offhook operator.
sign-in-no-context = Microsoft signed you in, but did not confirm authentication context { $context }, so nothing was changed. Signing in again does not help: tell your Offhook operator.
sign-in-consent = Your organization has not consented to Offhook using the SIP Gateway for you, so nothing was sent. A Global Administrator has to grant consent once, in the Entra admin center under Enterprise applications, Permissions.
sign-in-blocked = A Conditional Access policy in your organization blocks your sign-in from here, so nothing was sent. Try a managed device or network, or ask another approver.
sign-in-not-allowed = Your account can't use Offhook: it is disabled, not assigned, or from another organization. Nothing was sent. Ask your Offhook operator.
sign-in-bot = Microsoft is not accepting Offhook's own credentials, so nothing was sent. Tell your Offhook operator.
sign-in-other = Microsoft refused the sign-in, so nothing was sent. Try again. If it keeps happening, tell your Offhook operator.
sign-in-code = Microsoft's code: { $code }.

progress-sign-in = Waiting for an approver to sign in. { $ended } of { $total ->
        [one] { $total } phone is
       *[other] { $total } phones are
    } done.
note-sign-in-heading = No approver's permissions have been available since { $since }.
note-sign-in-refused = The SIP Gateway refused the approver's permissions: "{ $message }" Often, a role activation has expired.
note-sign-in = Phones already sent are still being processed, and nothing is sent twice. While an approver is signed in for another request, Offhook reads their results with that approver's permissions. The request continues as soon as someone who can approve it selects Sign in to continue.
note-sign-in-paused = The request runs with an approver's permissions. Someone who can approve it selects Sign in to continue; what has not been sent still waits for its window.
button-sign-in = Sign in to continue
reconcile-signed-out = No approver's permissions are available for this request, so I can't look up batch { $batch }. Select Sign in to continue on the request's progress card, then try again.
