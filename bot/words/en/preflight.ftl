# Pre-flight: what is known about accounts and the tenant before a password is reset.

## Names of the checks

preflight-check-exists = Account exists
preflight-check-enabled = Account is enabled
preflight-check-license = Teams Phone license
preflight-check-number = Phone number
preflight-check-ip-phone-policy = IP phone policy
preflight-check-calling-policy = Calling policy
preflight-check-mfa = Per-user MFA
preflight-check-conditional-access = Conditional Access
preflight-check-password = Password settings
preflight-check-synchronized = Synchronization with Active Directory
preflight-check-role = Directory roles
preflight-check-guest = Guest account
preflight-check-scope = Allowed accounts
preflight-check-person = Person's account
preflight-check-bulk-sign-in = Bulk sign-in is on
preflight-check-trusted-addresses = Trusted IP addresses
preflight-check-security-defaults = Security defaults
preflight-check-gateway-apps = SIP Gateway applications

## Accounts that Offhook does not sign in, or only by name

issue-account-holds-role = The account is an administrator: { $roles }{ $more ->
    [0] {""}
   *[other] {" "}and { $more } more
}.
    .fix = Offhook never resets an administrator's password. Use an account that is only for the phone.
issue-account-may-hold-role = The account can become an administrator: { $roles }{ $more ->
    [0] {""}
   *[other] {" "}and { $more } more
}.
    .fix = Offhook never resets the password of an account that may activate a directory role. Use an account that is only for the phone.
issue-account-guest = The account is a guest in this tenant.
    .fix = Offhook does not sign in guests on phones. Use an account of this tenant.
issue-account-outside-scope = The account is not among those that may be signed in on phones here.
    .fix = Ask whoever runs Offhook to add the account to an allowed group, or to allow its name (OFFHOOK_ACCOUNTS).
issue-account-person-mailbox = The account has a mailbox, so it may be a person's.
    .fix = Use an account that is only for the phone. If this one is right, select it on the card and give a reason; an approver has to confirm it by name.
issue-account-person-desktop-apps = The account has a license for desktop apps, so it may be a person's.
    .fix = Use an account that is only for the phone. If this one is right, select it on the card and give a reason; an approver has to confirm it by name.
issue-account-person-signs-in = { $days ->
    [0] Somebody signed in with the account today, so it may be a person's.
    [one] Somebody signed in with the account yesterday, so it may be a person's.
   *[other] Somebody signed in with the account { $days } days ago, so it may be a person's.
}
    .fix = Use an account that is only for the phone. If this one is right, select it on the card and give a reason; an approver has to confirm it by name.
issue-account-resource-account = The account is a resource account, such as that of an auto attendant or a call queue.
    .fix = Use an account that is only for the phone. If this one is right, select it on the card and give a reason; an approver has to confirm it by name.
issue-account-restricted-unit = The account is in a restricted management administrative unit.
    .fix = Only administrators of that unit can reset its password, so the sign-in will probably fail. Move the account out of the unit, or select it on the card and give a reason; an approver has to confirm it by name.

## Accounts whose sign-in will fail

issue-account-not-found = The account does not exist in this tenant.
    .fix = { $suggestion ->
        [none] Correct the user principal name (UPN) in the file.
       *[other] Did you mean { $suggestion }? Correct the user principal name (UPN) in the file.
    }
issue-account-disabled = The account is disabled.
    .fix = Enable it in the Microsoft 365 admin center (Block sign-in).
issue-account-no-teams-phone = The account has no Teams Phone license.
    .fix = Assign a license that includes Teams Phone, such as Teams Shared Devices.
issue-account-no-number = The account has no phone number.
    .fix = Assign a number in the Teams admin center (Set-CsPhoneNumberAssignment).
issue-account-no-common-area-policy = The account's IP phone policy, { $policy }, does not allow common area phones to sign in.
    .fix = Grant an IP phone policy with the sign-in mode CommonAreaPhoneSignIn (Grant-CsTeamsIPPhonePolicy). It takes up to 24 hours to take effect.
issue-account-no-sip-devices-policy = The account's calling policy, { $policy }, does not allow SIP devices.
    .fix = Grant a calling policy with AllowSIPDevicesCalling turned on (Grant-CsTeamsCallingPolicy). It takes up to 24 hours to take effect.
issue-account-no-call-redirect = The account's calling policy, { $policy }, does not allow SIP devices to redirect calls.
    .fix = Set AllowCallRedirect to Enabled in that policy, or grant another one (Grant-CsTeamsCallingPolicy).
issue-account-mfa = Per-user multifactor authentication is on. A phone can't answer it.
    .fix = Turn off per-user MFA for this account in the Microsoft Entra admin center. Protect it with Conditional Access instead.
issue-account-conditional-access = The Conditional Access policy “{ $policy }” asks for what a phone can't give ({ $controls }){ $more ->
    [0] {""}
    [one] , and so does another policy
   *[other] , and so do { $more } other policies
}.
    .fix = Exclude the SIP Gateway's applications from the policy, or the site's and the SIP Gateway's IP addresses.
issue-account-must-change = The account must change its password at the next sign-in. A phone can't do that.
    .fix = Clear that setting (User must change password at next logon).
issue-account-synchronized = The account is synchronized from Active Directory, so its new password must be written back there.
    .fix = Make sure that password writeback works and that the password has no minimum age.

## The tenant

notice-tenant-bulk-sign-in-off = Bulk sign-in is turned off for this tenant. Turn it on: Set-CsTeamsSipDevicesConfiguration -BulkSignIn "Enabled".
notice-tenant-no-trusted-addresses = This tenant has no trusted IP addresses. Add the public IP addresses of your sites in the Teams admin center (Locations, Network topology), at least 24 hours before the sign-in.
notice-tenant-security-defaults = Security defaults are on in this tenant. They may ask phones for multifactor authentication. Sign in one phone first. If it fails, use Conditional Access policies that exclude the SIP Gateway's applications instead of security defaults.
notice-tenant-gateway-apps-missing = The tenant lacks service principals of the SIP Gateway: { $apps }. If Conditional Access is to exclude them, create them first (New-MgServicePrincipal -AppId).

## What is not known, and why

notice-unknown-permission = Not checked: { $checks }. Ask an administrator to consent to { $detail }.
notice-unknown-cloud = Not checked: { $checks }. This cloud does not offer it, so check it yourself.
notice-unknown-license = Not checked: { $checks }. It needs a Microsoft Entra ID license that the tenant lacks, so check it yourself.
notice-unknown-unavailable = Not checked: { $checks }. Microsoft did not answer in time.
notice-unknown-unreadable = Not checked: { $checks }. Microsoft's answer could not be understood.
notice-unknown-approver = Not checked: { $checks }. Offhook may not read this in your tenant, so the approver should look.
notice-unknown-delegation = Not checked: { $checks }. The approver's roles did not allow reading this, or their sign-in ended.
notice-unknown-not-read = Not checked: { $checks }. Offhook could not read it.

## Script: comments of the PowerShell script that mends what the checks found

script-what = Mends what Offhook found when it checked the accounts of request { $request }.
script-how =
    Without -Apply it changes nothing: it shows what it would do. Read it, run it once like that, and then
    run it with -Apply. Sign in as a Teams administrator, and as a user administrator for accounts and licenses.
    Policies take up to 24 hours to take effect. Afterwards, send the file to Offhook again.
script-doubtful = Offhook could not tell of { $accounts ->
        [one] 1 of these accounts whether it is
       *[other] { $accounts } of these accounts whether they are
    } an administrator's or a person's. Look before you run it with -Apply.
script-bulk-sign-in = The tenant: bulk sign-in is turned off.
script-gateway-apps = The tenant: service principals of the SIP Gateway, so that Conditional Access can exclude them.
script-disabled = { $count ->
        [one] 1 account is disabled. Make sure that it was not disabled on purpose.
       *[other] { $count } accounts are disabled. Make sure that they were not disabled on purpose.
    }
script-license =
    { $count ->
        [one] 1 account has no Teams Phone license.
       *[other] { $count } accounts have no Teams Phone license.
    }
    Assigns Teams Shared Devices, or the license of -LicenseSku. Each account needs a usage location first.
script-number =
    { $count ->
        [one] 1 account has no phone number.
       *[other] { $count } accounts have no phone number.
    }
    Fill in Offhook's CSV of numbers, and give its path with -Numbers and the kind of numbers with -NumberType.
script-ip-phone-policy =
    { $count ->
        [one] 1 account has an IP phone policy that does not let common area phones sign in.
       *[other] { $count } accounts have an IP phone policy that does not let common area phones sign in.
    }
    Grants the policy of -IPPhonePolicy, which is created if there is none.
script-calling-policy =
    { $count ->
        [one] 1 account has a calling policy that does not allow SIP devices, or not to redirect calls.
       *[other] { $count } accounts have a calling policy that does not allow SIP devices, or not to redirect calls.
    }
    Grants the policy of -CallingPolicy, which is created if there is none. It replaces the accounts' calling
    policy as a whole: if that holds other settings that are needed, set AllowSIPDevicesCalling there instead.
script-mfa =
    { $count ->
        [one] 1 account has per-user multifactor authentication, which a phone can't answer.
       *[other] { $count } accounts have per-user multifactor authentication, which a phone can't answer.
    }
    Turns it off. Protect these accounts with Conditional Access instead.
script-must-change =
    { $count ->
        [one] 1 account must change its password at the next sign-in, which a phone can't do.
       *[other] { $count } accounts must change their passwords at the next sign-in, which a phone can't do.
    }
    An account that is synchronized from Active Directory is changed there instead.
script-nothing-changed = Nothing was changed. Run the script with -Apply to make these changes.

## Cards

accounts-checking = { $total ->
    [one] Checking the account before anything is sent.
   *[other] Checking { $total } accounts before anything is sent: { $checked } done.
} You can request approval as soon as this is finished.
accounts-guarded-lead = { $refused ->
    [0] {""}
    [one] 1 account is an administrator's, a guest's, or not allowed here.{" "}
   *[other] { $refused } accounts are administrators', guests', or not allowed here.{" "}
}{ $guarded ->
    [0] {""}
    [one] 1 account may not be for a phone, or is protected.{" "}
   *[other] { $guarded } accounts may not be for phones, or are protected.{" "}
}{ $included ->
    [0] Left out.
   *[other] Those named below are included.
}
accounts-failed-lead = { $failed ->
    [one] The sign-in of 1 account will probably fail. It is left out.
   *[other] The sign-in of { $failed } accounts will probably fail. They are left out.
}
fact-accounts = Accounts
accounts-checked = { $total ->
    [one] 1 checked
   *[other] { $total } checked
}: { $passed } without a problem{ $warnings ->
    [0] {""}
    [one] , 1 with a warning
   *[other] , { $warnings } with a warning
}{ $unknown ->
    [0] {""}
   *[other] , { $unknown } not fully known
}{ $failing ->
    [0] {""}
   *[other] , { $failing } with a problem { $decided ->
        [0] and left out
       *[other] ({ $included ->
            [0] none
           *[other] { $included }
        } of them included)
    }
}
accounts-checked-phones-not = The accounts were checked, but not the phones: only the sign-in can tell whether a phone is online and known to the SIP Gateway.
label-include-failed = Accounts whose sign-in will probably fail
toggle-include-failed = { $failed ->
    [one] Include 1 account although its sign-in will probably fail
   *[other] Include { $failed } accounts although their sign-in will probably fail
}
label-include-guarded = Accounts that may not be for phones, or are protected: select those to sign in. An approver has to confirm them.
include-guarded-more = { $more ->
    [one] 1 more account may not be for a phone, or is protected. At most { $limit } can be selected in one request.
   *[other] { $more } more accounts may not be for phones, or are protected. At most { $limit } can be selected in one request.
}
ask-checking = The accounts are still being checked. Try again in a moment.
ask-include-reason = Say in the reason why these accounts are right in spite of their checks.
ask-not-guarded = { $account } is not an account that can be included by name. Open the card again.
approval-included = { $included ->
    [one] 1 account is included although its check failed. The reason below must say why.
   *[other] { $included } accounts are included although their checks failed. The reason below must say why.
}
approval-guarded = These may not be phones' accounts: { $names }. Whoever uses them is locked out. If in doubt, reject the request.
label-confirm-guarded = Accounts that look like people's
toggle-confirm-guarded = I confirm that these accounts are for phones: { $names }
approve-confirm-guarded = Confirm that the accounts named at the top are for phones, or reject the request.
button-export-script = Get script
button-export-numbers = Get CSV for numbers

## The second check, after the approval

progress-checking = Approved. Before anything is sent, { $total ->
    [0] the tenant's settings are checked again.
    [one] 1 account is checked again: { $checked } done.
   *[other] { $total } accounts are checked again: { $checked } done.
}
progress-held = Stopped before anything was sent: { $accounts ->
    [0] the tenant has a problem that the approval did not show.
    [one] 1 account has a problem that the approval did not show.
   *[other] { $accounts } accounts have a problem that the approval did not show.
}
progress-held-waits = It waits for an approver's decision. No password has been reset.
hold-account = { $account }: { $problem }
hold-more = { $more ->
    [one] 1 more account has such a problem.
   *[other] { $more } more accounts have such a problem.
}
hold-how = An approver can { $accounts ->
    [0] check again once this is fixed, continue anyway, or cancel the request.
    [one] continue without this account, check again once it is fixed, or cancel the request.
   *[other] continue without these accounts, check again once they are fixed, or cancel the request.
}
button-continue-without = { $accounts ->
    [0] Continue anyway
    [one] Continue without this account
   *[other] Continue without these { $accounts } accounts
}
button-check-accounts = Check again
notice-rechecked = Checked again after the approval. Accounts with a new warning: { $warnings }. Accounts of which more is known: { $known }. Accounts with a problem fixed: { $mended }.
