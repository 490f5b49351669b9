# What Entra ID's sign-in log shows of phones, as a second witness beside what the SIP Gateway says.

sightings-counted = Sign-in log: the accounts of { $seen } of { $phones } phones signed in{ $left ->
    [0] .
   *[other] { $pending ->
        [0] . The log does not show { $left ->
                [one] the other one
               *[other] the other { $left }
            }, which proves nothing.
       *[other] ; { $left } not yet. The log lags by minutes and is read again.
    }
}
sightings-failing = { $phones ->
    [one] Of one phone's account it shows only a failed sign-in.
   *[other] Of the accounts of { $phones } phones it shows only failed sign-ins; the newest:
}
sightings-gap-permission = Offhook can't read the sign-in log: ask an administrator to consent to AuditLog.Read.All. The results are the SIP Gateway's own.
sightings-gap-license = Offhook can't read the sign-in log: the tenant has no Microsoft Entra ID P1 license. The results are the SIP Gateway's own.
sightings-gap-cloud = Offhook can't read the sign-in log: this cloud does not offer it. The results are the SIP Gateway's own.
sightings-gap-unavailable = Offhook can't read the sign-in log: Microsoft did not answer in time. The results are the SIP Gateway's own.
sightings-gap-unreadable = Offhook can't read the sign-in log: Microsoft's answer could not be understood. The results are the SIP Gateway's own.
sightings-gap-approver = Offhook can't read the sign-in log: its own permissions do not reach your tenant. The results are the SIP Gateway's own.
sighting-seen = Its account signed in at { $at }, says the sign-in log.
sighting-failing = A sign-in of its account failed at { $at }, says the sign-in log: { $code }.
sighting-pending = Its account is not in the sign-in log yet.
sighting-not-seen = Its account is not in the sign-in log.
sighting-cannot-be-seen = Offhook can't read the sign-in log.
sighting-refusal-again = It asks for another factor or a new password, which a phone can't give.
sighting-refusal-blocked = A Conditional Access policy blocks it.
sighting-refusal-consent = The organization has not consented to the SIP Gateway's application.
sighting-refusal-not-allowed = The account is disabled, or may not use the SIP Gateway's application.
sighting-refusal-bot = The SIP Gateway's application was refused.
sighting-refusal-other = Look the code up in the sign-in log of the Microsoft Entra admin center.
