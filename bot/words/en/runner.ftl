# Notifications: messages that Offhook sends unprompted to chats and channels.

notification-reminder = Request { $request } by { $requester } is still waiting for approval: { $phones ->
        [one] { $phones } phone
       *[other] { $phones } phones
    }. It expires in about { $hours ->
        [one] an hour
       *[other] { $hours } hours
    }. Decide on the approval card, or send status { $request }.
notification-reason-wanted = Request { $request } was not approved, and nothing was started: another request with some of its phones or accounts was approved after you requested approval. Give a reason on the card above, or withdraw the request. To get the card again, send status { $request } to Offhook.
notification-started = Request { $request }: { $approver } approved the sign-in of { $phones ->
        [one] { $phones } phone
       *[other] { $phones } phones
    }, requested by { $requester }. It has started.
notification-held = Request { $request } is on hold: { $accounts ->
        [0] a problem with the tenant's settings was found
        [one] a problem with 1 account was found
       *[other] problems with { $accounts } accounts were found
    } after the approval. No password has been reset. An approver decides how to go on. If you fix it, ask them to check again. To see the card, send status { $request } to Offhook.
notification-rejected = { $approver } rejected request { $request }. Nothing was changed.
notification-rejected-with-comment = { $approver } rejected request { $request }: "{ $comment }". Nothing was changed.
notification-expired = Request { $request } expired before anyone approved it. Nothing was changed. To request approval again, send the file again.
notification-undeliverable = Request { $request }: Offhook could not deliver the card that asks the approvers for a decision. Ask your Offhook operator to add Offhook there. Until then, an approver can decide by sending status { $request } to Offhook.
notification-audit-anchor = Anchor of the audit: { $anchor }. Keep this message: it proves later that nobody changed the audit before it. Nothing to do.
notification-audit-broken = The audit of Offhook was changed: its chain is broken at link { $seq }. Offhook keeps running. Ask your Offhook operator to find out who could write to its database, and to run "python -m bot audit verify".
notification-stalled = Request { $request }: a batch in { $region } has stalled. The SIP Gateway has reported no progress for an hour. Offhook keeps checking its phones.
notification-ran-after-all = Request { $request }: the SIP Gateway did take a batch of { $phones ->
        [one] { $phones } phone
       *[other] { $phones } phones
    } in { $region } after all, although it was answered that this batch did not run. { $phones ->
        [one] The password of its account has probably been reset
       *[other] The passwords of its accounts have probably been reset
    }{ $again ->
        [0] . Offhook does not follow this batch.
       *[other] , and the batch was sent again since, so it runs twice. Offhook follows the second one only.
    } To see its result, run Get-CsSdgBulkSignInRequestStatus -Batchid { $batch } in PowerShell.
notification-finished = Request { $request } by { $requester } has finished: { $signed_in } of { $total ->
        [one] { $total } phone
       *[other] { $total } phones
    } signed in, { $failed } failed{ $rest ->
        [0] .
       *[other] , { $rest } without a result.
    }
notification-cancelled = Request { $request } by { $requester } was canceled: { $signed_in } of { $total ->
        [one] { $total } phone
       *[other] { $total } phones
    } signed in, { $failed } failed{ $rest ->
        [0] .
       *[other] , { $rest } not sent or without a result.
    }
card-failed = Offhook could not draw a card about request { $request }. The request itself is not affected. To see it, send status { $request } to Offhook. If that fails too, give your Offhook operator this reference ID: { $reference }.
