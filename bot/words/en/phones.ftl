# Validation of a file of phones. `issue-…` is a row's problem and `.fix` its remedy; `notice-…` is a
# remark on the file as a whole; `unreadable-…` says why there are no rows to validate.

## Rows: the username

issue-username-empty = The username is missing.
    .fix = Enter the account's user principal name (UPN), such as lobby@contoso.com.
issue-username-formula = This is a formula, not a username.
    .fix = Replace the formula with its value.
issue-username-no-at = The username has no @.
    .fix = Enter the full UPN, such as lobby@contoso.com.
issue-username-several-at = The username has { $signs } @ signs.
    .fix = Keep one @, between the name and the domain. Use one account per row.
issue-username-no-local = There is nothing before the @.
    .fix = Enter the full UPN, such as lobby@contoso.com.
issue-username-space = The username contains a space.
    .fix = Remove the space, or check the UPN in the Microsoft 365 admin center.
issue-username-invisible = The username contains an invisible character, { $character }.
    .fix = Type the username instead of copying it.
issue-username-control = The username contains a control character, { $character }.
    .fix = Type the username instead of copying it.
issue-username-character = A username can't contain the character { $character }.
    .fix = Use only letters, digits, and ' . - _ ! # ^ ~ +. Check the UPN in the Microsoft 365 admin center.
issue-username-not-ascii = Microsoft Entra ID does not allow { $character } in a username.
    .fix = Check how the account is spelled there: usually ae for ä, ss for ß, e for é.
issue-username-dot = There is a period right before the @.
    .fix = Remove the period.
issue-username-local-length = There are { $length } characters before the @. Microsoft Entra ID allows { $limit }.
    .fix = Check the UPN in the Microsoft 365 admin center.
issue-username-domain-length = There are { $length } characters after the @. Microsoft Entra ID allows { $limit }.
    .fix = Check the UPN in the Microsoft 365 admin center.
issue-username-domain = "{ $domain }" is not a domain name.
    .fix = Enter one of your tenant's domains after the @, such as contoso.com.

## Rows: the hardware ID

issue-hardware-id-empty = The hardware ID is missing.
    .fix = Enter the MAC address from the label on the phone, such as 80-5E-C0-12-34-56.
issue-hardware-id-formula = This is a formula, not a MAC address.
    .fix = Replace the formula with its value.
issue-hardware-id-length = A MAC address has 12 hexadecimal digits; this one has { $digits }.
    .fix = Compare it with the label on the phone.
issue-hardware-id-leading-zeros = This number has { $digits } digits; a MAC address has 12. Excel may have dropped leading zeros.
    .fix = Format the column as Text in Excel and enter the MAC address again, preferably with dashes.
issue-hardware-id-scientific = Excel turned this MAC address into a number, and digits are lost.
    .fix = Format the column as Text in Excel and enter the MAC address again, preferably with dashes.
issue-hardware-id-look-alike = This contains the letter { $letter }, which no MAC address has. It may be the digit { $digit }.
    .fix = Compare it with the label on the phone. If it is the digit, enter { $suggestion }.
issue-hardware-id-not-hex = A MAC address can't contain the character { $character }.
    .fix = Use only the digits 0 to 9 and the letters A to F. Compare it with the label on the phone.
issue-hardware-id-grouping = This has 12 digits, but they are grouped in an unusual way, so one may be out of place.
    .fix = Compare it with the label on the phone. If the digits are right, enter { $suggestion }.
issue-hardware-id-zero = This address is all zeros and belongs to no phone.
    .fix = Enter the MAC address from the label on the phone.
issue-hardware-id-broadcast = This is the broadcast address and belongs to no phone.
    .fix = Enter the MAC address from the label on the phone.
issue-hardware-id-multicast = This is a multicast address: its first pair, { $octet }, is odd. It belongs to no phone.
    .fix = Compare the first pair with the label on the phone.
issue-hardware-id-example = This address is reserved for examples and belongs to no phone.
    .fix = Replace the example row with one of your own phones.
issue-hardware-id-port-range = There is no port "{ $port }". The ports of an analog adapter are 001 to { $last }.
    .fix = Enter the port as three digits after a colon, such as :001.
issue-hardware-id-port-format = The port of an analog adapter is a colon and three digits.
    .fix = If the ending is a port, enter { $suggestion }.
issue-hardware-id-port-unusual = Most analog adapters of this make have at most { $ports } ports, and this is port { $port }.
    .fix = Continue if the adapter has this port. An AudioCodes MP-1288 has 288. Otherwise, correct the port.
issue-hardware-id-port-padded = The port has fewer than three digits. It was read as { $read }.
    .fix = Nothing to do, if this is the right port.

## Rows: the time of provisioning

issue-provisioned-unreadable = This is not a date or time that can be read, so the phone's deadline is not known.
    .fix = Write it like 2026-11-24 14:00, or leave the cell empty.
issue-provisioned-ambiguous = This can mean { $first } or { $second }, so the phone's deadline is not known.
    .fix = Write the year first, like 2026-11-24 14:00.

## Rows: the region, and conflicts between rows

issue-region-unknown = The SIP Gateway has no such region.
    .fix = Enter NOAM, EMEA, or APAC, or leave the cell empty and select a region on the card.
issue-duplicate = Row { NUMBER($first, useGrouping: 0) } already has the same username and hardware ID.
    .fix = Remove this row. Row { NUMBER($first, useGrouping: 0) } is kept.
issue-hardware-id-shared = Row { NUMBER($other, useGrouping: 0) } has the same hardware ID for another account, { $account }.
    .fix = A phone or port takes one account. Find out which row is right and remove the other one.
issue-hardware-id-several-handsets = Row { NUMBER($other, useGrouping: 0) } has the same hardware ID for another account, { $account }. A DECT base carries several handsets, but Microsoft does not document how bulk sign-in tells them apart.
    .fix = Try one handset first. If the SIP Gateway reports a duplicate device, sign in the other handsets on the device.
issue-account-on-several = Row { NUMBER($first, useGrouping: 0) } has the same account for another phone. The account's password is reset for each, which may sign out the phone that was signed in first.
    .fix = Use one account per phone if you can. Continue only if you want one account on several phones.

## The file as a whole

notice-encoding-guessed = The file does not declare its text encoding. It was read as { $encoding }.
notice-sheet-chosen = The workbook has { $others ->
        [one] another sheet
       *[other] { $others } more sheets
    }. Only the sheet "{ $sheet }" was read.
notice-header-missing = There is no header. The first column was read as the username and the second as the hardware ID.
notice-columns-ignored = { $more ->
        [0] Columns that are not needed were ignored: { $names }.
        [one] Columns that are not needed were ignored: { $names } and one more.
       *[other] Columns that are not needed were ignored: { $names } and { $more } more.
    }
notice-hardware-ids-respelled = { $count ->
        [one] One hardware ID was converted to the SIP Gateway's format: { $given } in row { NUMBER($row, useGrouping: 0) } is now { $read }.
       *[other] { $count } hardware IDs were converted to the SIP Gateway's format. The first: { $given } in row { NUMBER($row, useGrouping: 0) } is now { $read }.
    }
notice-values-trimmed = { $count ->
        [one] Spaces or quotation marks around one value were removed.
       *[other] Spaces or quotation marks around { $count } values were removed.
    }
notice-provisioned-zone = { $count ->
        [one] { $count } time
       *[other] { $count } times
    } of provisioning without a time zone { $count ->
        [one] was
       *[other] were
    } read as { $zone }{ $known ->
        [0] {", since your own time zone is not known"}
       *[other] {", your time zone"}
    }.
notice-accounts-on-several = { $accounts ->
        [one] One account is on { $phones } phones.
       *[other] { $accounts } accounts are on several phones each, { $phones } phones in all.
    } A password reset may sign out phones that already use the account. Offhook sends the phones of an account in one batch per region.
notice-signed-in-elsewhere = { $accounts ->
        [one] One of these accounts is
       *[other] { $accounts } of these accounts are
    } already signed in on another phone. This retry resets the password again, which may sign out that phone.
notice-looked-up = Offhook asked the SIP Gateway once more about { $phones ->
        [one] the phone
       *[other] the { $phones } phones
    } without a result: { $signed_in ->
        [0] none is signed in
       *[other] { $signed_in } signed in after all and left out of this retry
    }{ $failed ->
        [0] { "" }
       *[other] , { $failed } failed
    }{ $open ->
        [0] .
       *[other] , { $open } still without a result.
    }
notice-not-looked-up = { $phones ->
        [one] { $phones } phone ended without a result, and the SIP Gateway could not be asked about it
       *[other] { $phones } phones ended without a result, and the SIP Gateway could not be asked about them
    } again. They may be signed in: check them first.
notice-passwords = What is known of the passwords of these accounts before this retry: { $reset } surely reset, { $maybe } maybe reset, { $not_reset } surely not reset.
notice-smaller-batches = The last batches were too large for an on-premises Active Directory. This retry proposes at most { $size ->
        [one] one phone
       *[other] { $size } phones
    } per batch. To change that, select Batch size.

## Nothing to validate

unreadable-empty = The file is empty.
    .fix = Enter at least a header and one row. Send template for lines to copy into a CSV.
unreadable-no-rows = There is a header but no rows below it.
    .fix = Add one row per phone: username, hardware ID.
unreadable-no-header = The first row names neither the usernames nor the hardware IDs. It says: { $found }
    .fix = Make the first row Username,HardwareId and, optionally, Region.
unreadable-one-column = There is only one column, { $found }. Two are needed, separated by a comma, a semicolon, or a tab.
    .fix = Make the first row Username,HardwareId and put both values in every row.
unreadable-column-missing = There is no { $column } column. The first row says: { $found }
    .fix = { $column ->
        [Username] Add a Username column, or rename the column that has the accounts. The Teams admin center's template lists devices only: add the account of each.
       *[other] Add a { $column } column, or rename the column that has these values.
    }
unreadable-column-twice = Two columns could be { $column }: "{ $first }" and "{ $second }".
    .fix = Rename or remove one of them.
unreadable-too-many-rows = The file has { $rows } rows. The limit is { $limit }.
    .fix = Split it into several files.
unreadable-too-many-columns = The file has { $columns } columns. The limit is { $limit }.
    .fix = Keep the columns Username, HardwareId, and Region.
unreadable-value-too-long = Row { NUMBER($row, useGrouping: 0) } has more than { $limit } characters. It may contain a quotation mark that is never closed.
    .fix = Check the quotation marks in that row, or remove what does not belong in a list of phones.
unreadable-open-quote = A quotation mark in row { NUMBER($row, useGrouping: 0) } is never closed, so the rows after it can't be told apart.
    .fix = Close or remove the quotation mark in that row.
unreadable-nul-characters = The file contains NUL characters, as damaged files and binary files do.
    .fix = Open it in Excel or a text editor and save it again as CSV UTF-8.
unreadable-encoding = The text encoding of this file is unknown.
    .fix = Open it in Excel and save it as CSV UTF-8.
unreadable-too-large = The file is larger than { $limit } MB.
    .fix = Keep the columns Username, HardwareId, and Region, or split the file.
unreadable-not-a-table = { $kind ->
        [image] This is a picture, not a list of phones.
        [pdf] This is a PDF, not a list of phones.
        [rtf] This is a text document (RTF), not a list of phones.
        [markup] This is a web page or an XML file, not a list of phones.
        [xls] This is a workbook in the old Excel format (.xls), which can't be read.
        [encrypted] This workbook is protected by a password.
        [zip] This is a ZIP file, but not an Excel workbook (.xlsx).
        [archive] This is a compressed archive, not a list of phones.
       *[program] This is a program, not a list of phones.
    }
    .fix = { $kind ->
        [encrypted] Save it without a password, or save it as CSV UTF-8.
       *[other] Save the list as CSV UTF-8 or as an Excel workbook (.xlsx) and send that.
    }
unreadable-workbook-broken = This Excel workbook is damaged or has a structure that can't be read.
    .fix = Open it in Excel and save it as CSV UTF-8.
unreadable-workbook-too-large = This Excel workbook is too large when unpacked.
    .fix = Save the sheet with the phones as CSV UTF-8, with only the columns Username, HardwareId, and Region.

## Command line: urls

urls-column-make = Make
urls-column-url = URL
urls-alternative-make = { $make } (also in use)

## Command line: validate

unreadable-missing = There is no such file.
    .fix = Check the path.
unreadable-directory = This is a folder.
    .fix = Name a CSV or XLSX file in it.
unreadable-forbidden = The file can't be opened: { $reason }.
    .fix = Check that you have permission to read it.
validate-unreadable = { $file } can't be read.
validate-all-ready = { $rows ->
        [one] { $file }: the only row is ready.
       *[other] { $file }: all { $rows } rows are ready.
    }
validate-some-ready = { $file }: { $ready } of { $rows ->
        [one] { $rows } row is ready
       *[other] { $rows } rows are ready
    }; { $not_ready } { $not_ready ->
        [one] has an error
       *[other] have errors
    }. Only ready rows can be signed in.
validate-accounts-not-checked = The accounts were not checked, only the file. Add --accounts to check them with the app's own permissions.
validate-accounts-simulated = These are accounts of the simulated tenant (OFFHOOK_GATEWAY=simulator), not of yours.
validate-column-row = Row
validate-column-column = Column
validate-column-value = Value
validate-column-severity = Severity
validate-column-issue = Issue and fix
validate-severity-error = Error
validate-severity-warning = Warning
validate-severity-note = Note
