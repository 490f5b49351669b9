# Answers to commands and clicks. In direct answers the bot says "I".

pasted-table = pasted table
fault = Something went wrong on my side, and nothing was lost. Try again in a minute. If it happens again, give your Offhook operator this reference ID: { $reference }
unknown-order = I don't know the command "{ $text }". Here is what I can do.
unknown-action = This button belongs to another version of the card. Send status { $request } to get the latest card.
unknown-region = There is no region "{ $region }". The regions are NOAM, EMEA, and APAC.
no-such-request = I can't find request "{ $request }". Send history to see the latest requests.
which-request = Tell me which request, for example: cancel K7QF2M9X. Send history to see the latest requests.
file-no-table = I can read only CSV and Excel files. Attach one with the paper clip, or paste its rows here.
file-only-personal = Teams doesn't give bots access to files in channels and group chats. Send me the file in our 1:1 chat, or mention me here and paste its rows into the same message.
file-no-files = Teams doesn't give bots access to files in this cloud. Paste the rows here instead.

ask-nothing-ready = No rows are ready, so there is nothing to approve. Fix the rows and send the file again.
ask-leave-out = { $rows ->
        [one] { $rows } row is not ready and can't be sent. Select the check box to leave it out
       *[other] { $rows } rows are not ready and can't be sent. Select the check box to leave them out
    }, or fix the file and send it again.
ask-overlap = Some of these phones or accounts are in another request, too, as the card shows. Say in the reason why they are to be signed in again.
ask-region = Some rows have no region. Select the region where their phones were provisioned.
ask-batch-size = Enter the phones per batch as a number from 1 to { $limit }.
approve-acknowledge = Select the check box first: approving resets the passwords of these accounts.
approve-type-number = { $accounts ->
        [one] This resets { NUMBER($accounts, useGrouping: 0) } password, so type 1.
       *[other] This resets { NUMBER($accounts, useGrouping: 0) } passwords, so type { NUMBER($accounts, useGrouping: 0) }.
    } { $typed ->
        [none] Nothing was approved.
       *[other] You typed { $typed }, so nothing was approved.
    } If that is not the number that you expected, look at the phones again.
approve-changed = The rows don't match the ones that approval was requested for, so nothing was started. Ask the requester to send the file again, and tell your Offhook operator.

cancel-asked = Request { $request } is being canceled. Phones already sent will run to completion, because the SIP Gateway can't stop them.
retry-exists = There is already a request for these phones: { $request }. Send status { $request } to see it.
retry-nothing = Every phone in request { $request } is signed in. There is nothing to retry.
retry-looking-up = { $phones ->
        [one] { $phones } phone of request { $request } ended without a result. I'm asking
       *[other] { $phones } phones of request { $request } ended without a result. I'm asking
    } the SIP Gateway about { $phones ->
        [one] it
       *[other] them
    } once more. The retry follows here within a minute or so.
retry-drafted = Request { $request } has the { $phones ->
        [one] phone that was
       *[other] { $phones } phones that were
    } not signed in. It is below and needs its own approval.

reconcile-what = Select one of the three answers.
reconcile-what-unreadable = Select one of the two answers.
reconcile-no-id = Enter the batch ID that PowerShell shows: Get-CsSdgBulkSignInRequestsSummary.
reconcile-taken = Batch ID { $batch } already belongs to another Offhook batch. Check the ID.
reconcile-no-answer = The SIP Gateway gave no usable answer about batch { $batch }: { $message }. Check the ID and try again.
reconcile-slow = The SIP Gateway did not respond in time, so nothing was changed. Try batch { $batch } again in a minute.
reconcile-other = Batch { $batch } doesn't contain exactly these phones. Check the ID.

export-elsewhere = I can send files only in our 1:1 chat. Open it, send status { $request }, and select the export button there.
export-no-files-results = Teams doesn't let bots send files in this cloud. Show phones on the card lists every phone with its result, page by page.
export-no-files-phones = Teams doesn't let bots send files in this cloud. Show phones on the card lists every phone, page by page.
export-no-files-issues = Teams doesn't let bots send files in this cloud. The card lists every issue, page by page.
export-no-files-script = Teams doesn't let bots send files in this cloud. The card says how to fix each account.
export-no-files-numbers = Teams doesn't let bots send files in this cloud. The card lists the accounts without a number.
export-nothing = There is nothing to put into this file: no account has a problem that it could fix.
export-below = The file is in the next message.
export-results = Results of request { $request }
export-phones = Phones of request { $request }
export-issues = Issues in request { $request }
export-script = PowerShell script for the accounts of request { $request }
export-numbers = Accounts of request { $request } without a phone number
export-declined = OK, I did not save a file. Select the export button again whenever you want it.
export-consent-unknown = This offer to save a file is no longer valid. Select the export button on the card again.
export-not-saved = I couldn't save the file to your OneDrive. Select the export button to try again. Request { $request } is not affected.
export-link-old = This link is no longer valid. Select the export button on the card again.
