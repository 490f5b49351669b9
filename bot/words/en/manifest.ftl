# The Teams app package builder: what it rejects, and what it reports once the package is written.

package-app-id = The app ID "{ $value }" is not a GUID.
    .fix = Set --app-id to the application (client) ID of the bot's app registration, for example 9a3c1f0e-5b7d-4c2a-8e61-0d4f7b2a6c95.
package-tenant = The tenant ID "{ $value }" is not a GUID.
    .fix = Set --tenant to the tenant ID from the overview page of the Entra admin center. A domain name is not enough.
package-same-id = The app ID and the tenant ID are both { $value }. One of them is wrong.
    .fix = The app ID is the application (client) ID of the app registration. The tenant ID is the directory (tenant) ID.
package-host = The host "{ $value }" is not a name that Teams can reach.
    .fix = Set --host to the public DNS name only, without https, port, or path, for example offhook.contoso.com. Leave --host out if you don't have one yet.
package-host-not-yours = The host { $value } belongs to someone else or is a tunnel. The store accepts neither.
    .fix = Use a name that you own, or leave --host out.
package-developer = The developer name "{ $value }" must have 1 to { $limit } characters.
    .fix = Set --developer to a name of that length.
package-link = { $option } is "{ $value }", which is not an https link.
    .fix = Enter the full address of a page, for example https://contoso.com/offhook.

package-unreadable = { $file } can't be read at { $where }: { $message }.
    .fix = Compare the file with an older version of it.
package-version = The version "{ $value }" is not three numbers separated by periods.
    .fix = Use a version such as 1.4.0. Teams accepts an update only if the version has changed.
package-schema-version = { $file } names a different schema version than the manifest follows.
    .fix = Set "$schema" and "manifestVersion" to the same version in every file.
package-file-missing = The manifest names { $file }, but the package doesn't contain it.
    .fix = Add the file, or remove its name from the manifest.
package-file-unused = The package contains { $file }, but the manifest doesn't name it.
    .fix = Remove the file from the package.
package-icon-not-png = { $file } is not a PNG.
    .fix = Generate the icons again: python -m manifest.icons.
package-icon-size = { $file } is { $width } x { $height } pixels and must be { $size } x { $size }.
    .fix = Generate the icons again: python -m manifest.icons.
package-icon-solid = { $file } has no transparency. It must be white on a transparent background.
    .fix = Generate the icons again: python -m manifest.icons.
package-schema = { $file } violates the schema at { $where }: { $message }.
    .fix = The schema is described at https://learn.microsoft.com/microsoft-365/extensibility/schema/.
package-output = The package can't be written to { $file }: { $reason }.
    .fix = Set --output to another file.

package-written = Wrote { $file }: { $bytes } bytes, SHA-256 { $digest }.
package-follows-rules = Icons, links, domains, languages, and version follow the store's rules.
package-follows-schema = Every document follows Microsoft's schema { $version }.
package-schema-not-installed = Schema { $version } is not installed here, so the documents were not validated against it. make test installs it and validates them.
package-example-links = The website, privacy, and terms links are examples. Set your own with --website, --privacy, and --terms before other people see the app.
package-next = Next, in the Teams admin center of tenant { $tenant }: Teams apps, Manage apps, Actions, Upload new app.
package-settings = Run Offhook with OFFHOOK_APP_ID={ $app } and with this tenant in OFFHOOK_TENANT_IDS.
