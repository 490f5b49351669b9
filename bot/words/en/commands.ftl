# Answers to commands and clicks.

pasted-table = pasted table
fault = Something went wrong on our side, and nothing was lost. Try again in a minute. If it happens again, give your Offhook operator this reference: { $reference }
unknown-order = I do not know the command "{ $text }". Here is what I can do.
unknown-action = This button is from another version of the card. Send status to get the newest card.
unknown-region = There is no region "{ $region }". The regions are NOAM, EMEA and APAC.
no-such-request = I cannot find a request "{ $request }". Send history to see the newest ones.
which-request = Say which request, for example: cancel K7QF2M9X. Send history to see the newest ones.
file-no-table = I can read CSV and Excel files only. Attach one with the paper clip, or paste its lines here.
file-only-personal = Teams gives bots no access to files in channels and group chats. Send me the file in our 1:1 chat, or paste its lines here.

ask-nothing-ready = No row is ready, so there is nothing to approve. Mend the rows and send the file again.
ask-leave-out = { $rows ->
        [one] { $rows } row is not ready and cannot be sent. Tick the box to leave it out
       *[other] { $rows } rows are not ready and cannot be sent. Tick the box to leave them out
    }, or mend the file and send it again.
ask-region = Some rows name no region. Choose the region in which their phones were provisioned.
approve-acknowledge = Tick the box first: approving resets the passwords of these accounts.
approve-changed = The rows are not the ones that approval was asked for, so nothing was started. Ask for approval anew, and tell your Offhook operator.

cancel-asked = Request { $request } is being cancelled. Phones that were already sent are followed to their end, because the service cannot stop them.
retry-exists = There is already a request for these phones: { $request }. Send status { $request } to see it.
retry-nothing = Every phone of request { $request } is signed in. There is nothing to retry.
retry-drafted = Request { $request } holds the { $phones ->
        [one] phone that was
       *[other] { $phones } phones that were
    } not signed in. It is below, and needs approval again.

reconcile-what = Choose one of the three answers.
reconcile-no-id = Enter the batch id that the Teams admin center or PowerShell shows.
reconcile-taken = Batch { $batch } is already known as another batch of ours. Check the id.
reconcile-no-answer = The service says nothing useful of batch { $batch }: { $message }. Check the id and try again.
reconcile-slow = The service did not answer in time, so nothing was changed. Try batch { $batch } again in a minute.
reconcile-other = Batch { $batch } does not hold exactly these phones. Check the id.

export-elsewhere = Files reach you in our 1:1 chat only. Open it, send status { $request }, and choose Export there.
export-below = The file is in the next message.
export-results = Results of request { $request }
export-issues = Issues of request { $request }
export-declined = Fine, no file was saved. Choose Export again whenever you want it.
export-not-saved = The file could not be saved to your OneDrive. Choose Export again to try once more. Request { $request } is not affected.
export-link-old = This link is not valid any more. Choose Export on the card again.
