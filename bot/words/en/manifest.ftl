# The builder of the Teams app package: what it refuses, and what it says when the package is made.

package-app-id = The app id "{ $value }" is not a GUID.
    .fix = Give the application (client) id of the bot's app registration with --app-id, for example 9a3c1f0e-5b7d-4c2a-8e61-0d4f7b2a6c95.
package-tenant = The tenant "{ $value }" is not a GUID.
    .fix = Give the tenant id with --tenant. The Entra admin center shows it on its overview page. A domain name is not enough.
package-same-id = The app id and the tenant are both { $value }. One of them is wrong.
    .fix = The app id is the application (client) id of the app registration, the tenant is the directory (tenant) id.
package-host = The host "{ $value }" is not a name that Teams can reach.
    .fix = Give the public DNS name alone, without https, port or path, for example offhook.contoso.com. Leave --host out if there is none yet.
package-host-not-yours = The host { $value } belongs to somebody else or is a tunnel, and the store takes neither.
    .fix = Give a name that is your own, or leave --host out.
package-developer = The developer's name "{ $value }" does not fit: it takes 1 to { $limit } characters.
    .fix = Give a shorter name with --developer.
package-link = { $option } is "{ $value }", which is not an https link.
    .fix = Give the whole address of a page, for example https://contoso.com/offhook.

package-unreadable = { $file } cannot be read at { $where }: { $message }.
    .fix = Compare the file with an older version of it.
package-version = The version "{ $value }" is not three numbers with dots between them.
    .fix = Write for example 1.4.0. Teams takes an update only if the version has changed.
package-schema-version = { $file } names a schema of another version than the manifest follows.
    .fix = Let "$schema" and "manifestVersion" name the same version, in every file.
package-file-missing = { $file } is named in the manifest and is not in the package.
    .fix = Add the file, or take its name out of the manifest.
package-file-unused = { $file } is in the package and no part of the manifest names it.
    .fix = Take the file out of the package.
package-icon-not-png = { $file } is not a PNG.
    .fix = Draw the icons again: python -m manifest.icons.
package-icon-size = { $file } measures { $width } x { $height } pixels, and has to measure { $size } x { $size }.
    .fix = Draw the icons again: python -m manifest.icons.
package-icon-solid = { $file } has no transparency, and has to be white on nothing.
    .fix = Draw the icons again: python -m manifest.icons.
package-schema = { $file } breaks the schema at { $where }: { $message }.
    .fix = The schema is described at https://learn.microsoft.com/microsoft-365/extensibility/schema/.
package-output = The package cannot be written to { $file }: { $reason }.
    .fix = Name another file with --output.

package-written = { $file } is written: { $bytes } bytes, SHA-256 { $digest }.
package-follows-rules = Icons, links, domains, languages and version follow the store's rules.
package-follows-schema = Every document follows Microsoft's schema { $version }.
package-schema-not-installed = The schema { $version } is not installed here, so the documents were not checked against it. make test installs it and checks.
package-example-links = Website, privacy and terms are example links. Give your own with --website, --privacy and --terms before other people see the app.
package-next = Next, in the Teams admin center of tenant { $tenant }: Teams apps, Manage apps, Actions, Upload new app.
package-settings = The service has to run with OFFHOOK_APP_ID={ $app } and with this tenant in OFFHOOK_TENANT_IDS.
