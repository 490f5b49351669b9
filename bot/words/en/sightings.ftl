# What Entra ID's sign-in log shows of phones, as a second witness beside what the SIP Gateway says.

sightings-counted = Seen in the sign-in log: { $seen } of { $phones }{ $left ->
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
    [one] Of one phone it shows only a failed sign-in.
   *[other] Of { $phones } phones it shows only failed sign-ins; the newest:
}
sightings-gap-permission = Whether phones signed in cannot be seen in the sign-in log: consent to AuditLog.Read.All. The results are the SIP Gateway's own.
sightings-gap-license = Whether phones signed in cannot be seen in the sign-in log: the tenant has no Microsoft Entra ID P1 license. The results are the SIP Gateway's own.
sightings-gap-cloud = Whether phones signed in cannot be seen in the sign-in log: this cloud does not offer it. The results are the SIP Gateway's own.
sightings-gap-unavailable = Whether phones signed in cannot be seen in the sign-in log: Microsoft did not answer in time. The results are the SIP Gateway's own.
sightings-gap-unreadable = Whether phones signed in cannot be seen in the sign-in log: Microsoft's answer could not be understood. The results are the SIP Gateway's own.
sightings-gap-approver = Whether phones signed in cannot be seen in the sign-in log: Offhook does not read it for your tenant. The results are the SIP Gateway's own.
sighting-seen = Seen in the sign-in log at { $at }.
sighting-failing = The log shows a failed sign-in at { $at }: { $code }.
sighting-pending = Not in the sign-in log yet.
sighting-not-seen = Not seen in the sign-in log.
sighting-cannot-be-seen = Cannot be seen in the sign-in log.
sighting-refusal-again = It asks for another factor or a new password, which a phone cannot give.
sighting-refusal-blocked = A Conditional Access policy blocks it.
sighting-refusal-consent = The organization has not consented to the SIP Gateway's application.
sighting-refusal-not-allowed = The account is disabled, or may not use the SIP Gateway's application.
sighting-refusal-bot = The SIP Gateway's application was refused.
sighting-refusal-other = Look the code up in the sign-in log of the Microsoft Entra admin center.
