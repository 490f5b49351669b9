# States of requests and phones, causes of failure, and denials.

## States of a request

state-draft = Not sent yet
state-waiting = Waiting for approval
state-running = Running
state-cancelling = Canceling
state-finished = Finished
state-rejected = Rejected
state-expired = Expired
state-cancelled = Canceled
state-withdrawn = Withdrawn

## States of a phone

phone-pending = Waiting
phone-in_progress = In progress
phone-signed_in = Signed in
phone-failed = Failed
phone-not_run = Not sent
phone-unconfirmed = No result

## Why a phone is not signed in, and the fix. The SIP Gateway's own messages: Microsoft, "Configure SIP Gateway".

cause-user-not-found = The account does not exist in this tenant.
    .fix = Check the user principal name (UPN), correct it in the file, and send those rows again.
cause-no-phone-number = The account has no phone number.
    .fix = Assign a number to the account in the Teams admin center (Set-CsPhoneNumberAssignment). Then retry.
cause-no-sip-calling-policy = The account's calling policy does not allow SIP devices.
    .fix = Grant the account a calling policy with AllowSIPDevicesCalling turned on (Grant-CsTeamsCallingPolicy). Policies take up to 24 hours to take effect. Then retry.
cause-no-cap-policy = The account has no IP phone policy for common area phones.
    .fix = Grant the account an IP phone policy with the sign-in mode CommonAreaPhoneSignIn (Grant-CsTeamsIPPhonePolicy). Policies take up to 24 hours to take effect. Then retry.
cause-device-not-found = The SIP Gateway does not know the phone.
    .fix = Check the hardware ID and the region first. If both are right, provision the phone with its provisioning URL, restart it, wait an hour, then retry. If it was offline for 14 days while signed out, or 30 days while signed in, reset it to factory settings and provision it again.
cause-no-tenant-tag = The phone's provisioning URL has no tenant ID, or the wrong one.
    .fix = Set the provisioning URL with your tenant ID on the phone, restart it, wait an hour, then retry.
cause-device-offline = The phone is offline.
    .fix = Check its power and network. Retry once it is back online. If it was offline for 14 days while signed out, or 30 days while signed in, reset it to factory settings and provision it again.
cause-ip-not-trusted = The phone's public IP address is not trusted.
    .fix = There are two possible causes. First, check that the phone's provisioning URL includes your tenant ID. Second, check that the site's public IP address is a trusted IP in the Teams admin center (Locations, Network topology). A new one takes up to 24 hours to take effect. Then retry.
cause-deadline-expired = Too much time has passed since the phone was provisioned or signed out.
    .fix = Provision the phone again with its provisioning URL, wait an hour, and retry within 70 hours. If it was offline for 14 days or more, reset it to factory settings first.
cause-duplicate-devices = Several phones report this hardware ID.
    .fix = The SIP Gateway's message lists their IP addresses. Leave only the right phone on the network, then retry.
cause-wrong-hardware-id = The SIP Gateway does not accept the hardware ID.
    .fix = Compare it with the label on the phone, correct it in the file, and send those rows again.
cause-ad-configuration = The on-premises Active Directory is not set up for bulk sign-in.
    .fix = Ask your Active Directory team to check password writeback. Then retry.
cause-ad-throttling = The on-premises Active Directory limits how many passwords can be reset at once.
    .fix = Wait an hour, then retry. The retry proposes smaller batches.
cause-password-writeback = The new password could not be written to the on-premises Active Directory.
    .fix = Ask your Active Directory team to check the account: its password can be changed, has no minimum age, and does not have to be changed at the next sign-in. Then retry.
cause-access-denied = The account that ran the sign-in lacks permission.
    .fix = That account needs one of these roles: Global Administrator, Privileged Authentication Administrator, or Authentication Administrator. The last two may need Teams Administrator as well. Then retry.
cause-unknown = The SIP Gateway returned an error that Offhook does not know.
    .fix = Follow the SIP Gateway's message. If that does not help, give Microsoft support the batch ID from the export.
cause-no-result = The batch ended without a result for this phone.
    .fix = Check the phone. If it is not signed in, retry. The account's password may have been reset.
cause-not-run = Not sent, because the request was canceled. Nothing was changed.
    .fix = Retry whenever you want.
cause-refused = The SIP Gateway refused the whole batch. Nothing was changed.
    .fix = Follow the SIP Gateway's message, then retry.
cause-failed-check = Left out by an approver: the account failed its check after the approval. Its password was not reset.
    .fix = Fix what the check found, then retry.
cause-changed-after-approval = The batch is not the one that was approved, so Offhook did not send it.
    .fix = Tell your Offhook operator, who has to find out what wrote to the database. Then send the file again instead of retrying.
