# What became of a phone or a request, and why somebody may not do something.

## States of a request

state-draft = Not sent yet
state-waiting = Waiting for approval
state-running = Running
state-cancelling = Being cancelled
state-finished = Finished
state-rejected = Rejected
state-expired = Expired
state-cancelled = Cancelled
state-withdrawn = Withdrawn

## States of a phone

phone-pending = Waiting
phone-in_progress = In progress
phone-signed_in = Signed in
phone-failed = Failed
phone-not_run = Not sent
phone-unconfirmed = No result

## Why a phone is not signed in, and what to do. The service's own messages: Microsoft, "Configure SIP Gateway".

cause-user-not-found = The account does not exist in this tenant.
    .fix = Check the spelling of the user principal name (UPN), correct it in the file, and send those rows again.
cause-no-phone-number = The account has no phone number.
    .fix = Assign a number to the account in the Teams admin center (Set-CsPhoneNumberAssignment). Then retry.
cause-no-sip-calling-policy = The account's calling policy does not allow SIP devices.
    .fix = Grant the account a calling policy with AllowSIPDevicesCalling switched on (Grant-CsTeamsCallingPolicy). Policies take up to 24 hours to apply. Then retry.
cause-no-cap-policy = The account has no IP phone policy for common area phones.
    .fix = Grant the account an IP phone policy with the sign-in mode CommonAreaPhoneSignIn (Grant-CsTeamsIPPhonePolicy). Policies take up to 24 hours to apply. Then retry.
cause-device-not-found = The SIP Gateway does not know the phone.
    .fix = Check the hardware id and the region first. If both are right, provision the phone with its provisioning URL, restart it, wait an hour, then retry.
cause-no-tenant-tag = The phone's provisioning URL has no tenant id, or a wrong one.
    .fix = Set the provisioning URL with your tenant id on the phone, restart it, wait an hour, then retry.
cause-device-offline = The phone is offline.
    .fix = Check its power and network. Retry once it is online again.
cause-ip-not-trusted = The phone's public IP address is not trusted.
    .fix = Two things cause this. First, check that the phone's provisioning URL carries your tenant id. Second, check that the site's public IP address is a trusted IP in the Teams admin center (Locations, Network topology). A new one takes up to 24 hours to work. Then retry.
cause-deadline-expired = Too much time has passed since the phone was provisioned or signed out.
    .fix = Provision the phone again with its provisioning URL, wait an hour, and retry within 70 hours.
cause-duplicate-devices = Several phones report this hardware id.
    .fix = The service's message names their IP addresses. Leave only the right phone on the network, then retry.
cause-wrong-hardware-id = The service does not accept the hardware id.
    .fix = Compare it with the label on the phone, correct it in the file, and send those rows again.
cause-ad-configuration = The on-premises Active Directory is not set up for this.
    .fix = Ask your Active Directory team to check password writeback. Then retry.
cause-ad-throttling = The on-premises Active Directory limits how many passwords are reset at once.
    .fix = Wait an hour, then retry with fewer phones at a time.
cause-password-writeback = The new password could not be written to the on-premises Active Directory.
    .fix = Ask your Active Directory team to check the account: its password may be changed, has no minimum age, and need not change at the next sign-in. Then retry.
cause-access-denied = Whoever the sign-in ran as may not do this.
    .fix = That account needs the role Teams Administrator, and one of Global Administrator, Privileged Authentication Administrator or Authentication Administrator. Then retry.
cause-unknown = The service gave an error that is not in our list.
    .fix = Go by what the service says. If that does not help, give Microsoft support the batch id, which is in the export.
cause-no-result = The batch ended, and the service never said how this phone went.
    .fix = Look at the phone. If it is not signed in, retry. Its password may have been reset.
cause-not-run = Not sent, because the request was cancelled. Nothing was changed.
    .fix = Retry whenever you want.
cause-refused = The service refused the whole batch. Nothing was changed.
    .fix = Go by what the service says, then retry.

## Why somebody may not do something

denied-not-requester = You may not ask for sign-ins. Ask your Offhook operator to add you to the requesters.
denied-not-approver = You may not approve or reject sign-ins. Ask somebody who may, or ask your Offhook operator to add you to the approvers.
denied-no-checks = The checks are for those who may approve sign-ins. Ask one of them to send me checks.
denied-no-such-request = I cannot find this request. Send history to see the newest ones.
denied-not-yours = Only the person who made this request may do that.
denied-not-a-draft = Approval has been asked for already. Send status to see where the request stands.
denied-too-late-to-withdraw = The request has been decided, so it cannot be withdrawn. If it is running, cancel it instead.
denied-already-decided = This request has been decided already. The card says who decided what, and when.
denied-own-request = You made this request yourself. Somebody else has to decide.
denied-expired = This request has expired. Nothing was changed. Send the file again to ask anew.
denied-not-running = The request is not running.
denied-already-cancelling = The request is being cancelled already. Phones that were sent are followed to their end.
denied-not-ended = The request has not ended yet. Retry once it has.
