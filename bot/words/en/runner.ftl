# Notices that the service sends by itself.

notice-reminder = Request { $request } by { $requester } still waits for approval: { $phones ->
        [one] { $phones } phone
       *[other] { $phones } phones
    }. It expires in about { $hours ->
        [one] an hour
       *[other] { $hours } hours
    }.
notice-started = Request { $request }: { $approver } approved the sign-in of { $phones ->
        [one] { $phones } phone
       *[other] { $phones } phones
    }, asked for by { $requester }. It has started.
notice-rejected = Request { $request } was rejected by { $approver }. Nothing was changed.
notice-rejected-why = Request { $request } was rejected by { $approver }: "{ $comment }". Nothing was changed.
notice-expired = Request { $request } expired before anybody approved it. Nothing was changed. Send the file again to ask anew.
notice-undeliverable = Request { $request }: the card that asks for a decision could not be delivered to the approvers. Ask your Offhook operator to add me there. Until then, an approver can send me status { $request } to decide.
notice-stuck = Request { $request }: the service has said nothing new about a batch in { $region } for a long time. Its phones are still being followed.
notice-finished = Request { $request } by { $requester } has finished: { $signed_in } of { $total ->
        [one] { $total } phone
       *[other] { $total } phones
    } signed in, { $failed } failed, { $rest } without a result.
notice-cancelled = Request { $request } by { $requester } was cancelled: { $signed_in } of { $total ->
        [one] { $total } phone
       *[other] { $total } phones
    } had signed in, { $failed } failed, { $rest } were not run or have no result.
