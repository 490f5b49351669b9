# Messages of the Teams edge: files that can't be fetched, people who can't use the bot, HTTP requests
# that are not valid activities, and the local playground.

file-not-allowed = I did not download { $name }: it is stored at { $host }, where I am not allowed to read.
    .fix = Attach the file in this chat with the paper clip so that it is stored in your OneDrive, or paste its rows here.
file-not-found = I couldn't download { $name }: it no longer exists.
    .fix = Attach the file again.
file-expired = I couldn't download { $name }: my permission to read it has expired.
    .fix = Attach the file again. The permission lasts a few minutes.
file-too-big = { $name } is larger than { $megabytes ->
        [one] { $megabytes } MB
       *[other] { $megabytes } MB
    }, which is the most I can read.
    .fix = Remove columns and sheets that are not about phones, or split the file, and send it again.
file-too-slow = I couldn't download { $name } within { $seconds ->
        [one] { $seconds } second
       *[other] { $seconds } seconds
    }.
    .fix = Send the file again in a minute, or paste its rows here.
file-unreachable = I couldn't download { $name }: its storage did not respond as expected.
    .fix = Send the file again in a minute, or paste its rows here.
file-full = I couldn't save { $name }: your OneDrive is full.
    .fix = Free up some space, then select the export button again.
file-not-uploaded = I couldn't save { $name } to your OneDrive.
    .fix = Select the export button again. The offer to save a file lasts a few minutes.

chat-slow = This is taking longer than usual. I am still working on it, and the card will change when it is done.
chat-wrong-tenant = Offhook is not set up for your organization, so nothing was done. Ask your Offhook operator to add your tenant.
chat-no-identity = Teams did not tell me who you are, which happens with some guests, so nothing was done. Ask a member of the organization to do it.

request-malformed = This is not a Bot Framework activity: { $field ->
        [JSON] the body is not a JSON object
       *[other] { $field } is missing or has the wrong type
    }. Reference ID: { $reference }
request-too-big = This click carries more data than any Offhook card sends. Reference ID: { $reference }
request-body-too-big = This request is larger than any that Teams sends. Reference ID: { $reference }
request-slow = The rest of this request did not arrive in time. Reference ID: { $reference }
request-encoding = Offhook does not read compressed requests. Reference ID: { $reference }
request-not-json = This request is not JSON: its Content-Type must be application/json. Reference ID: { $reference }
request-host = In the local environment, Offhook answers only requests for localhost or 127.0.0.1. Reference ID: { $reference }
request-busy = Offhook is handling as many requests as it can. Try again in a few seconds. Reference ID: { $reference }
request-too-many = Too many requests from you are in progress. Try again in a few seconds. Reference ID: { $reference }
request-unauthorized = The signature of this request is missing or invalid. Only the Bot Framework connector can call this address. Reference ID: { $reference }
request-service-url = Offhook is not allowed to send answers to this activity's service URL. Reference ID: { $reference }
request-channel = This bot works only in Microsoft Teams. Reference ID: { $reference }
request-keys = The signature of this request can't be verified now, because Microsoft's signing keys could not be fetched. Try again in a minute. Reference ID: { $reference }

playground-open = Open { $url } in a browser and send help to the bot. Press Ctrl-C here to stop everything.
playground-missing = The local chat client is not installed. Run: make run
playground-ended = The local chat client stopped unexpectedly. Its output: { $output }
