"""The Teams edge: activities in, plain values of `bot.commands.chat` out. Only `auth` imports botbuilder."""
