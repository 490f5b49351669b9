# What there is to say about a file of phones. `issue-…` is about one row, `.fix` says what to do;
# `notice-…` is about the whole file; `unreadable-…` is why there is no table at all.

## Rows: the username

issue-username-empty = There is no username.
    .fix = Write the account's sign-in name, such as lobby@contoso.com.
issue-username-formula = This is a formula, not a username.
    .fix = Replace the formula by its value.
issue-username-no-at = The username has no @.
    .fix = Write the full sign-in name, such as lobby@contoso.com.
issue-username-several-at = The username has { $signs } @ signs.
    .fix = Keep one @, between the name and the domain. One account per row.
issue-username-no-local = There is nothing before the @.
    .fix = Write the full sign-in name, such as lobby@contoso.com.
issue-username-space = There is a space inside the username.
    .fix = Remove the space, or check the sign-in name in the Microsoft 365 admin center.
issue-username-invisible = The username holds an invisible character, { $character }.
    .fix = Type the username by hand instead of copying it.
issue-username-control = The username holds a control character, { $character }.
    .fix = Type the username by hand instead of copying it.
issue-username-character = A username cannot hold the character { $character }.
    .fix = Allowed are letters, digits and ' . - _ ! # ^ ~ +. Check the sign-in name in the Microsoft 365 admin center.
issue-username-not-ascii = Microsoft Entra ID allows no { $character } in a username.
    .fix = Look up how the account is spelled there: usually ae for ä, ss for ß, e for é.
issue-username-dot = There is a period right before the @.
    .fix = Remove the period.
issue-username-local-length = There are { $length } characters before the @. Microsoft Entra ID allows { $limit }.
    .fix = Check the sign-in name in the Microsoft 365 admin center.
issue-username-domain-length = There are { $length } characters after the @. Microsoft Entra ID allows { $limit }.
    .fix = Check the sign-in name in the Microsoft 365 admin center.
issue-username-domain = "{ $domain }" is not a domain name.
    .fix = Write a domain of your tenant after the @, such as contoso.com.

## Rows: the hardware id

issue-hardware-id-empty = There is no hardware id.
    .fix = Write the MAC address from the label of the phone, such as 80-5E-C0-12-34-56.
issue-hardware-id-formula = This is a formula, not a MAC address.
    .fix = Replace the formula by its value.
issue-hardware-id-length = A MAC address has 12 hexadecimal digits, this one has { $digits }.
    .fix = Compare it with the label of the phone.
issue-hardware-id-leading-zeros = This number has { $digits } digits, a MAC address has 12. Excel may have dropped zeros at the start.
    .fix = Set the column to Text in Excel and enter the MAC address again, best with dashes.
issue-hardware-id-scientific = Excel turned this MAC address into a number, and digits are lost.
    .fix = Set the column to Text in Excel and enter the MAC address again, best with dashes.
issue-hardware-id-look-alike = This has the letter { $letter }, which no MAC address has. It may be meant as the digit { $digit }.
    .fix = Compare it with the label of the phone. If the digit is meant, write { $suggestion }.
issue-hardware-id-not-hex = A MAC address cannot hold the character { $character }.
    .fix = Use the digits 0 to 9 and the letters A to F only. Compare it with the label of the phone.
issue-hardware-id-grouping = This has 12 digits, but they are grouped in an unusual way, so that one may be out of place.
    .fix = Compare it with the label of the phone. If the digits are right, write { $suggestion }.
issue-hardware-id-zero = This address is all zeros and belongs to no phone.
    .fix = Write the MAC address from the label of the phone.
issue-hardware-id-broadcast = This is the broadcast address and belongs to no phone.
    .fix = Write the MAC address from the label of the phone.
issue-hardware-id-multicast = This is a multicast address: the first pair, { $octet }, is odd. It belongs to no phone.
    .fix = Compare the first pair with the label of the phone.
issue-hardware-id-example = This address is reserved for examples and belongs to no phone.
    .fix = Replace the example row by one of your own phones.
issue-hardware-id-port-range = There is no port "{ $port }". Ports of an analog adapter go from 001 to { $last }.
    .fix = Write the port as three digits after a colon, such as :001.
issue-hardware-id-port-format = The port of an analog adapter is written as a colon and three digits.
    .fix = If that is what the ending means, write { $suggestion }.
issue-hardware-id-port-padded = The port was written short. It was read as { $read }.
    .fix = Nothing to do, if this is the port you mean.

## Rows: the region, and rows against each other

issue-region-unknown = This is not a region of the SIP Gateway.
    .fix = Write NOAM, EMEA or APAC, or leave the cell empty and choose a region on the card.
issue-duplicate = The same username and hardware id are in row { NUMBER($first, useGrouping: 0) } already.
    .fix = Remove this row. Row { NUMBER($first, useGrouping: 0) } is kept.
issue-hardware-id-shared = Row { NUMBER($other, useGrouping: 0) } has the same hardware id for another account, { $account }.
    .fix = A phone or port takes one account. Find out which is right and remove the other row.
issue-account-on-several = Row { NUMBER($first, useGrouping: 0) } has the same account for another phone.
    .fix = This is allowed. Go ahead if one account on several phones is what you want.

## The file as a whole

notice-encoding-guessed = The file does not say how its letters are encoded. It was read as { $encoding }.
notice-sheet-chosen = The workbook has { $others ->
        [one] another sheet
       *[other] { $others } more sheets
    }. Only the sheet "{ $sheet }" was read.
notice-header-missing = There is no header. The first column was read as the username and the second as the hardware id.
notice-columns-ignored = { $more ->
        [0] Columns that are not needed were ignored: { $names }.
        [one] Columns that are not needed were ignored: { $names } and one more.
       *[other] Columns that are not needed were ignored: { $names } and { $more } more.
    }
notice-hardware-ids-respelled = { $count ->
        [one] One hardware id was brought into the service's spelling: { $given } in row { NUMBER($row, useGrouping: 0) } is now { $read }.
       *[other] { $count } hardware ids were brought into the service's spelling. The first: { $given } in row { NUMBER($row, useGrouping: 0) } is now { $read }.
    }
notice-values-trimmed = { $count ->
        [one] Spaces or quotes around one value were removed.
       *[other] Spaces or quotes around { $count } values were removed.
    }

## No table at all

unreadable-empty = The file is empty.
    .fix = Fill in at least a header and one row. The command "template" gives you a file to start from.
unreadable-no-rows = There is a header but no phone below it.
    .fix = Add one row for each phone: username, hardware id.
unreadable-no-header = The first row names neither the usernames nor the hardware ids. It says: { $found }
    .fix = Make the first row Username,HardwareId and, if you like, Region.
unreadable-one-column = There is only one column, { $found }. Two are needed, kept apart by a comma, a semicolon or a tab.
    .fix = Make the first row Username,HardwareId and put both values in every row.
unreadable-column-missing = There is no column { $column }. The first row says: { $found }
    .fix = Add the column { $column }, or give it that name if it is there under another.
unreadable-column-twice = Two columns could be { $column }: "{ $first }" and "{ $second }".
    .fix = Rename or remove one of them.
unreadable-too-many-rows = The file has { $rows } rows. At most { $limit } can be read at once.
    .fix = Split it into several files.
unreadable-too-many-columns = The file has { $columns } columns. At most { $limit } can be read.
    .fix = Keep the columns Username, HardwareId and Region.
unreadable-value-too-long = Row { NUMBER($row, useGrouping: 0) } holds more than { $limit } characters. A quotation mark may have been opened there and never closed.
    .fix = Look at the quotation marks in that row, or remove what does not belong in a list of phones.
unreadable-open-quote = A quotation mark in row { NUMBER($row, useGrouping: 0) } is never closed, so the rows after it cannot be told apart.
    .fix = Close or remove the quotation mark in that row.
unreadable-nul-characters = The file holds NUL characters, as damaged files and files of programs do.
    .fix = Open it in Excel or a text editor and save it again as CSV UTF-8.
unreadable-encoding = The letters of this file are in no encoding that is known here.
    .fix = Open it in Excel and save it as CSV UTF-8.
unreadable-too-large = The file is larger than { $limit } MB.
    .fix = Keep the columns Username, HardwareId and Region, or split the file.
unreadable-not-a-table = { $kind ->
        [image] This is a picture, not a list of phones.
        [pdf] This is a PDF, not a list of phones.
        [rtf] This is a text document (RTF), not a list of phones.
        [markup] This is a web page or an XML file, not a list of phones.
        [xls] This is a workbook in the old Excel format (.xls), which cannot be read.
        [encrypted] This workbook is protected by a password.
        [zip] This is a zip file, but not an Excel workbook (.xlsx).
        [archive] This is a packed file, not a list of phones.
       *[program] This is a program, not a list of phones.
    }
    .fix = { $kind ->
        [encrypted] Save it without a password, or save it as CSV UTF-8.
       *[other] Save the list as CSV UTF-8 or as an Excel workbook (.xlsx) and send that.
    }
unreadable-workbook-broken = This Excel workbook is damaged or was made in a way that cannot be read.
    .fix = Open it in Excel and save it as CSV UTF-8.
unreadable-workbook-too-large = This Excel workbook is too large once it is unpacked.
    .fix = Save the sheet with the phones as CSV UTF-8, with the columns Username, HardwareId and Region only.

## Command line: validate

unreadable-missing = There is no such file.
    .fix = Check the path.
unreadable-directory = This is a folder.
    .fix = Name a CSV or XLSX file in it.
unreadable-forbidden = The file cannot be opened: { $reason }.
    .fix = Check that you may read it.
validate-unreadable = { $file } cannot be read.
validate-all-ready = { $rows ->
        [one] { $file }: the only row is ready.
       *[other] { $file }: all { $rows } rows are ready.
    }
validate-some-ready = { $file }: { $ready } of { $rows ->
        [one] { $rows } row is ready
       *[other] { $rows } rows are ready
    }, { $not_ready } { $not_ready ->
        [one] has an error
       *[other] have errors
    }. Only ready rows can be signed in.
validate-column-row = Row
validate-column-column = Column
validate-column-value = Value
validate-column-severity = Severity
validate-column-issue = What is wrong, and what to do
validate-severity-error = Error
validate-severity-warning = Warning
validate-severity-note = Note
