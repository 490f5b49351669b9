# What the chat edge says by itself: about files, about who may use the bot, and to those who send it
# something that is not an activity.

file-not-allowed = I did not fetch { $name }: it is stored at { $host }, which is not one of the places I may read from.
    .fix = Attach the file in this chat with the paper clip, so that it is kept in your OneDrive, or paste its lines here.
file-not-found = I could not fetch { $name }: it is not there any more.
    .fix = Attach the file again.
file-expired = I could not fetch { $name }: the permission to read it has run out.
    .fix = Attach the file again. The permission lasts a few minutes.
file-too-big = { $name } is larger than { $megabytes ->
        [one] { $megabytes } MB
       *[other] { $megabytes } MB
    }, which is the most I read.
    .fix = Remove columns and sheets that are not about phones, or split the file, and send it again.
file-too-slow = I could not fetch { $name } within { $seconds ->
        [one] { $seconds } second
       *[other] { $seconds } seconds
    }.
    .fix = Send the file again in a minute, or paste its lines here.
file-unreachable = I could not fetch { $name }: the place where it is stored did not answer as it should.
    .fix = Send the file again in a minute, or paste its lines here.
file-full = I could not save { $name }: your OneDrive is full.
    .fix = Make some room there, then choose Export again.
file-not-uploaded = I could not save { $name } to your OneDrive.
    .fix = Choose Export again. The offer to save a file lasts a few minutes.

chat-slow = This takes longer than usual. I am still on it, and the card will change when it is done.
chat-wrong-tenant = This bot does not serve your organisation, so nothing was done. Ask the people who run it to add your tenant.
chat-no-identity = Teams did not tell me who you are, which happens to some guests, so nothing was done. Ask a member of the organisation to do it.

request-malformed = This is not a Bot Framework activity: { $field ->
        [JSON] the body is not a JSON object
       *[other] { $field } is missing or of the wrong kind
    }. Reference: { $reference }
request-too-big = The data of this click is larger than a card of ours ever sends. Reference: { $reference }
request-unauthorized = The signature of this request is missing or not valid. Only the Bot Framework connector may call this address. Reference: { $reference }
request-service-url = The service URL of this activity is not one that answers may be sent to. Reference: { $reference }
request-channel = This bot answers in Microsoft Teams only. Reference: { $reference }
request-keys = The signature of this request cannot be checked now, because Microsoft's signing keys could not be fetched. Try again in a minute. Reference: { $reference }

playground-open = Open { $url } in a browser and send help to the bot. Press Ctrl-C here to stop everything.
playground-missing = The local chat client is not installed. Run: make run
playground-ended = The local chat client ended by itself. It said: { $output }
