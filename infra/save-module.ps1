<#
Downloads the MicrosoftTeams module and unpacks it if its package has the given checksum.

  pwsh -NoProfile infra/save-module.ps1 -Path FOLDER -Sha256 CHECKSUM
  pwsh -NoProfile infra/save-module.ps1      prints the checksum of the package, and unpacks nothing

The PowerShell Gallery's packages carry no signature of their own that would be checked on Linux, and it
could be made to answer with another package of the same version. Hence the checksum, which comes from a
download that somebody has looked at. Needs PowerShell 7.4 or later.
#>
param(
    [string] $Path,
    [string] $Sha256,
    [version] $Version = '7.9.0'
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Add-Type -AssemblyName System.IO.Compression.FileSystem

$download = Join-Path ([IO.Path]::GetTempPath()) ([guid]::NewGuid())
New-Item -ItemType Directory -Path $download | Out-Null
try {
    Save-PSResource -Name MicrosoftTeams -Version "$Version" -Repository PSGallery -TrustRepository `
        -SkipDependencyCheck -AsNupkg -Path $download
    $package = Get-ChildItem -Path $download -Filter *.nupkg -Recurse | Select-Object -First 1
    $actual = (Get-FileHash -Path $package.FullName -Algorithm SHA256).Hash.ToLowerInvariant()
    if (-not $Path) { return $actual }
    if ($actual -ne $Sha256) {
        throw "The package of MicrosoftTeams $Version has the SHA-256 $actual, not '$Sha256'."
    }
    [IO.Compression.ZipFile]::ExtractToDirectory($package.FullName, "$Path/MicrosoftTeams/$Version")
}
finally {
    Remove-Item -Path $download -Recurse -Force
}
