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

## Results

preflight-result-passed = Passed
preflight-result-warning = Warning
preflight-result-failed = Will fail
preflight-result-guarded = Guarded
preflight-result-refused = Refused
preflight-result-unknown = Not known

## Accounts that Offhook does not sign in, or only by name

preflight-holds-role = The account is an administrator: { $roles }{ $more ->
    [0] {""}
   *[other] {" "}and { $more } more
}.
    .fix = Offhook never resets an administrator's password. Use an account that is only for the phone.
preflight-may-hold-role = The account can become an administrator: { $roles }{ $more ->
    [0] {""}
   *[other] {" "}and { $more } more
}.
    .fix = Offhook never resets the password of an account that may activate a directory role. Use an account that is only for the phone.
preflight-guest = The account is a guest in this tenant.
    .fix = Offhook does not sign in guests on phones. Use an account of this tenant.
preflight-outside-scope = The account is not among those that may be signed in on phones here.
    .fix = Ask whoever runs Offhook to add the account to an allowed group, or to allow its name (OFFHOOK_ACCOUNTS).
preflight-person-mailbox = The account has a mailbox, so it may be a person's.
    .fix = Use an account that is only for the phone. If this one is right, name it with a reason; an approver has to confirm it by name.
preflight-person-desktop-apps = The account has a license for desktop apps, so it may be a person's.
    .fix = Use an account that is only for the phone. If this one is right, name it with a reason; an approver has to confirm it by name.
preflight-person-signs-in = { $days ->
    [0] Somebody signed in with the account today, so it may be a person's.
    [one] Somebody signed in with the account yesterday, so it may be a person's.
   *[other] Somebody signed in with the account { $days } days ago, so it may be a person's.
}
    .fix = Use an account that is only for the phone. If this one is right, name it with a reason; an approver has to confirm it by name.
preflight-resource-account = The account is a resource account, such as that of an auto attendant or a call queue.
    .fix = Use an account that is only for the phone. If this one is right, name it with a reason; an approver has to confirm it by name.
preflight-restricted-unit = The account is in a restricted management administrative unit.
    .fix = Only administrators of that unit can reset its password, so the sign-in will probably fail. Move the account out of the unit, or name it with a reason; an approver has to confirm it by name.

## Accounts whose sign-in will fail

preflight-not-found = The account does not exist in this tenant.
    .fix = Correct the user principal name (UPN) in the file.
preflight-did-you-mean = Did you mean { $username }?
preflight-disabled = The account is disabled.
    .fix = Enable it in the Microsoft 365 admin center (Block sign-in).
preflight-no-teams-phone = The account has no Teams Phone license.
    .fix = Assign a license that includes Teams Phone, such as Teams Shared Devices.
preflight-no-number = The account has no phone number.
    .fix = Assign a number in the Teams admin center (Set-CsPhoneNumberAssignment).
preflight-no-common-area-policy = The account's IP phone policy, { $policy }, does not allow common area phones to sign in.
    .fix = Grant an IP phone policy with the sign-in mode CommonAreaPhoneSignIn (Grant-CsTeamsIPPhonePolicy). It takes up to 24 hours to take effect.
preflight-no-sip-devices-policy = The account's calling policy, { $policy }, does not allow SIP devices.
    .fix = Grant a calling policy with AllowSIPDevicesCalling turned on (Grant-CsTeamsCallingPolicy). It takes up to 24 hours to take effect.
preflight-no-call-redirect = The account's calling policy, { $policy }, does not allow SIP devices to redirect calls.
    .fix = Set AllowCallRedirect to Enabled in that policy, or grant another one (Grant-CsTeamsCallingPolicy).
preflight-mfa = Per-user multifactor authentication is on. A phone cannot answer it.
    .fix = Turn off per-user MFA for this account in the Microsoft Entra admin center. Protect it with Conditional Access instead.
preflight-conditional-access = The Conditional Access policy “{ $policy }” asks for what a phone cannot give ({ $controls }){ $more ->
    [0] {""}
    [one] , and so does another policy
   *[other] , and so do { $more } other policies
}.
    .fix = Exclude the SIP Gateway's applications from the policy, or the site's and the SIP Gateway's IP addresses.
preflight-must-change = The account must change its password at the next sign-in. A phone cannot do that.
    .fix = Clear that setting (User must change password at next logon).
preflight-synchronized = The account is synchronized from Active Directory, so its new password must be written back there.
    .fix = Make sure that password writeback works and that the password has no minimum age.

## The tenant

preflight-bulk-sign-in-off = Bulk sign-in is turned off for this tenant.
    .fix = Turn it on: Set-CsTeamsSipDevicesConfiguration -BulkSignIn "Enabled".
preflight-no-trusted-addresses = This tenant has no trusted IP addresses.
    .fix = Add the public IP addresses of your sites in the Teams admin center (Locations, Network topology), at least 24 hours before the sign-in.
preflight-security-defaults = Security defaults are on in this tenant. They may ask phones for multifactor authentication.
    .fix = Sign in one phone first. If it fails, use Conditional Access policies that exclude the SIP Gateway's applications instead of security defaults.
preflight-gateway-apps-missing = The tenant lacks service principals of the SIP Gateway: { $apps }.
    .fix = If Conditional Access is to exclude them, create them first (New-MgServicePrincipal -AppId).

## What is not known, and why

preflight-unknown-permission = Not checked: { $checks }. Offhook has no permission to read this; consent to { $detail }.
preflight-unknown-cloud = Not checked: { $checks }. This cloud does not offer it.
preflight-unknown-license = Not checked: { $checks }. The tenant has no Microsoft Entra ID license that includes it.
preflight-unknown-unavailable = Not checked: { $checks }. Microsoft did not answer in time.
preflight-unknown-unreadable = Not checked: { $checks }. Microsoft's answer could not be understood.
preflight-unknown-approver = Not checked yet: { $checks }. Only an approver may read this; it is checked at the approval.
preflight-unknown-not-read = Not checked: { $checks }.
