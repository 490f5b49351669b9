"""Who the app is, and for whom it acts: credentials, and sign-ins of people. Knows no botbuilder."""
